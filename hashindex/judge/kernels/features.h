/* The features of two frames; the definitions are in features.py. */

/* Frames that match: features.matched */

enum { PARTS = 10, WHOLES = 2 }; /* The first two parts are the whole picture, with and without its border. */

static void match(const float *a, const float *b, int count_a, int count_b, float *table, float *out)
{
    double best = -3;
    for (int i = 0; i < PARTS; i++)
        for (int j = 0; j < (i < WHOLES ? PARTS : WHOLES); j++) {
            double sum_a = 0, sum_b = 0;
            for (int one = 0; one < count_a; one++) {
                float highest = -2;
                for (int other = 0; other < count_b; other++) {
                    float found = (float)dot(a + ((size_t)one * PARTS + i) * PIXELS,
                                             b + ((size_t)other * PARTS + j) * PIXELS, PIXELS);
                    table[(size_t)one * count_b + other] = found;
                    highest = most_f(highest, found);
                }
                sum_a += highest;
            }
            for (int other = 0; other < count_b; other++) {
                float highest = -2;
                for (int one = 0; one < count_a; one++) highest = most_f(highest, table[(size_t)one * count_b + other]);
                sum_b += highest;
            }
            double score = (sum_a / count_a + sum_b / count_b) / 2 + (i || j ? 0 : 0.01);
            if (score > best) {
                best = score;
                memcpy(out, table, sizeof(float) * (size_t)count_a * count_b);
            }
        }
}

static PyObject *py_match(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[3];
    if (!takes(count, 3) || !take(&arrays[0], given[0], "a", 'f', 3, 0)) return NULL;
    if (!take(&arrays[1], given[1], "b", 'f', 3, 0)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[2], "out", 'f', 2, 1)) return give_back(arrays, 2), NULL;
    const int *a = arrays[0].shape, *b = arrays[1].shape, *to = arrays[2].shape;
    if (a[1] != PARTS || a[2] != PIXELS || b[1] != PARTS || b[2] != PIXELS || to[0] != a[0] || to[1] != b[0])
        return unfit(arrays, 3, "The shapes of a, b and out do not fit.");
    float *table = malloc(sizeof(float) * (size_t)a[0] * b[0]);
    int is_done = table != NULL;
    if (is_done) {
        Py_BEGIN_ALLOW_THREADS
        match(arrays[0].data, arrays[1].data, a[0], b[0], table, arrays[2].data);
        Py_END_ALLOW_THREADS
    }
    free(table);
    give_back(arrays, 3);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Tone and statistics: features.structure_of */

/* The value at this place of the sorted values; the values are reordered. */
static float nth(float *values, int count, int place)
{
    int from = 0, to = count - 1;
    while (from < to) {
        float pivot = values[from + (to - from) / 2];
        int low = from, high = to;
        while (low <= high) {
            while (values[low] < pivot) low++;
            while (values[high] > pivot) high--;
            if (low <= high) {
                float kept = values[low];
                values[low++] = values[high];
                values[high--] = kept;
            }
        }
        if (place <= high) to = high;
        else if (place >= low) from = low;
        else break;
    }
    return values[place];
}

/* As nth(values, count, place) of values that are mostly 0 to 255: only one of many bins is sorted. */
static float nth_level(float *values, int count, int place)
{
    enum { SHARE = 8, LAST = 256 * SHARE - 1 };
    int bins[LAST + 1] = {0}, below = 0, bin = 0, kept = 0;
    for (int k = 0; k < count; k++) bins[(int)least_f(most_f(values[k] * SHARE, 0), LAST)]++;
    while (below + bins[bin] <= place && bin < LAST) below += bins[bin++];
    for (int k = 0; k < count; k++)
        if ((int)least_f(most_f(values[k] * SHARE, 0), LAST) == bin) values[kept++] = values[k];
    return nth(values, kept, place - below);
}

static uint8_t level_of(float value) { return (uint8_t)least_f(most_f(value, 0), 255); }

static double slope(double rise, double run) { return least_d(most_d(rise / run, 0), 2); }

/* features._tone_matched: fills toned and returns the gain. */
static double match_tone(const float *a, const float *b, int height, int width, float *toned)
{
    int size = height * width, step = size > 4096 ? 2 : 1, some = 0;
    double sum_a = 0, sum_b = 0, square = 0, both = 0, counts[32] = {0}, totals[32] = {0};
    for (int i = 0; i < height; i += step)
        for (int j = 0; j < width; j += step) {
            float one = a[(size_t)i * width + j], other = b[(size_t)i * width + j];
            int bin = level_of(one) >> 3;
            sum_a += one;
            sum_b += other;
            square += one * one;
            both += one * other;
            counts[bin]++;
            totals[bin] += other;
            some++;
        }
    double mean_a = sum_a / some, mean_b = sum_b / some, power = square / some - mean_a * mean_a;
    double gain = power > 1 ? (both / some - mean_a * mean_b) / power : 1.0;
    double middles[32], heights[32], pooled[32], weights[32], enough = most_d(4.0, 0.001 * some);
    int members[32], used = 0, pools = 0, first = 0, last = 0;
    for (int bin = 0; bin < 32; bin++) {
        if (counts[bin] < enough) continue;
        if (!used) first = bin;
        last = bin;
        middles[used++] = bin * 8 + 3.5;
        pooled[pools] = totals[bin] / counts[bin];
        weights[pools] = counts[bin];
        members[pools++] = 1;
        while (pools > 1 && pooled[pools - 2] > pooled[pools - 1]) {
            int above = pools - 1, below = pools - 2;
            double weight = weights[below] + weights[above];
            pooled[below] = (pooled[above] * weights[above] + pooled[below] * weights[below]) / weight;
            weights[below] = weight;
            members[below] += members[above];
            pools--;
        }
    }
    if (used < 2) {
        for (int k = 0; k < size; k++) toned[k] = a[k] - (float)mean_a + (float)mean_b;
        return gain;
    }
    for (int pool = 0, at = 0; pool < pools; pool++)
        for (int k = 0; k < members[pool]; k++) heights[at++] = pooled[pool];
    float curve[256];
    double at_first = slope(heights[1] - heights[0], middles[1] - middles[0]);
    double at_last = slope(heights[used - 1] - heights[used - 2], middles[used - 1] - middles[used - 2]);
    for (int level = 0, at = 0; level < 256; level++) {
        double height_here;
        while (at < used - 1 && middles[at + 1] <= level) at++;
        if (level < middles[0]) height_here = heights[0];
        else if (at == used - 1) height_here = heights[at];
        else
            height_here = (heights[at + 1] - heights[at]) / (middles[at + 1] - middles[at]) * (level - middles[at]) +
                          heights[at];
        if (level < first * 8 + 4) height_here += (level - middles[0]) * at_first;
        if (level >= last * 8 + 4) height_here += (level - middles[used - 1]) * at_last;
        curve[level] = (float)least_d(most_d(height_here, 0), 255);
    }
    for (int k = 0; k < size; k++) toned[k] = curve[level_of(a[k])];
    return gain;
}

/* features._spot: the largest share of marked windows in any square. */
static double spot(const uint8_t *marked, int rows, int columns, int *line)
{
    int tall = least(SPOT, rows), wide = least(SPOT, columns), largest = 0;
    for (int row = 0; row + tall <= rows; row++) {
        int run = 0;
        for (int x = 0; x < columns; x++) {
            line[x] = 0;
            for (int i = 0; i < tall; i++) line[x] += marked[(row + i) * columns + x];
            run += line[x] - (x >= wide ? line[x - wide] : 0);
            if (x >= wide - 1) largest = most(largest, run);
        }
    }
    return (double)largest / (tall * wide);
}

enum { STRUCTURE = 17 }; /* The fields of features.StructureFeatures. */

static int structure(const float *a, const float *b, int height, int width, double *found)
{
    int size = height * width, rows = windows_along(height), columns = windows_along(width), count = rows * columns;
    float *memory = malloc(sizeof(float) * ((size_t)2 * size + (size_t)5 * count));
    uint8_t *two = malloc((size_t)2 * count);
    int *line = malloc(sizeof(int) * (size_t)columns);
    float *toned = memory, *rest = toned + size, *sorted = rest + size;
    Windows view = {rows, columns, sorted + count, sorted + 2 * count, sorted + 3 * count, sorted + 4 * count};
    int is_done = 0;
    if (!memory || !two || !line) goto end;
    found[0] = match_tone(a, b, height, width, toned);
    for (int k = 0; k < size; k++) rest[k] = fabsf(toned[k] - a[k]);
    found[3] = sum_of(rest, size) / size;
    for (int k = 0; k < size; k++) rest[k] = fabsf(toned[k] - b[k]);
    found[1] = sum_of(rest, size) / size;
    found[2] = nth_level(rest, size, size - 1 - size / 200);
    if (!compare_windows(toned, b, height, width, &view)) goto end;
    uint8_t *one = two + count;
    double weighed = 0, contrasts = 0;
    float deepest_two = 0, deepest_one = 0;
    int bads = 0, twos = 0, top = rows, bottom = -1, left = columns, right = -1;
    for (int place = 0; place < count; place++) {
        float difference = view.difference[place], power_a = view.power_a[place], power_b = view.power_b[place];
        float low = least_f(power_a, power_b), high = most_f(power_a, power_b), contrast = sqrtf(power_a + power_b);
        weighed += difference * contrast;
        contrasts += contrast;
        int is_bad = difference > 0.5f;
        two[place] = difference > 0.4f && low > 36 && low > 0.15f * high;
        one[place] = is_bad && !two[place];
        twos += two[place];
        bads += is_bad;
        if (two[place]) deepest_two = most_f(deepest_two, low * difference);
        if (one[place]) deepest_one = most_f(deepest_one, high - low);
        if (is_bad) {
            int row = place / columns, column = place % columns;
            top = least(top, row), bottom = most(bottom, row);
            left = least(left, column), right = most(right, column);
        }
        sorted[place] = difference;
    }
    found[4] = nth(sorted, count, count - 1);
    found[5] = nth(sorted, count, (int)(0.99 * (count - 1)));
    found[6] = nth(sorted, count, (int)(0.95 * (count - 1)));
    found[7] = weighed / most_d(contrasts, 1e-3);
    found[8] = (double)bads / count;
    found[9] = (double)twos / count;
    found[10] = spot(two, rows, columns, line);
    found[11] = sqrtf(deepest_two);
    found[12] = spot(one, rows, columns, line);
    found[13] = sqrtf(deepest_one);
    found[14] = bads ? (double)(right - left + 1) / columns : 0;
    found[15] = bads ? (double)(bottom - top + 1) / rows : 0;
    for (int place = 0; place < count; place++) sorted[place] = fabsf(view.mean[place]);
    found[16] = nth(sorted, count, (int)(0.99 * (count - 1)));
    is_done = 1;
end:
    free(memory);
    free(two);
    free(line);
    return is_done;
}

static PyObject *py_structure(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[2];
    double found[STRUCTURE];
    if (!takes(count, 2) || !take(&arrays[0], given[0], "a", 'f', 2, 0)) return NULL;
    if (!take(&arrays[1], given[1], "b", 'f', 2, 0)) return give_back(arrays, 1), NULL;
    int height = arrays[0].shape[0], width = arrays[0].shape[1], is_done;
    if (arrays[1].shape[0] != height || arrays[1].shape[1] != width)
        return unfit(arrays, 2, "a and b have different shapes.");
    Py_BEGIN_ALLOW_THREADS
    is_done = structure(arrays[0].data, arrays[1].data, height, width, found);
    Py_END_ALLOW_THREADS
    give_back(arrays, 2);
    return is_done ? tuple_of(found, STRUCTURE) : PyErr_NoMemory();
}

/* What is outside the overlap: features.outside_of */

enum { OUTSIDE = 7, SIDES = 4, BINS = 34 };

static double plainness(const int *bins, int count)
{
    int largest = 0;
    for (int bin = 0; bin + 1 < BINS; bin++) largest = most(largest, bins[bin] + bins[bin + 1]);
    return count ? (double)largest / count : 1;
}

static void outside(const float *grey, int width, const int *box, const int *rectangle, double *found)
{
    int left = box[0], top = box[1], right = box[2], bottom = box[3];
    int x0 = most(left, least(rectangle[0], right)), x1 = most(left, least(rectangle[2], right));
    int y0 = most(top, least(rectangle[1], bottom)), y1 = most(top, least(rectangle[3], bottom));
    int whole = (right - left) * (bottom - top), rest = whole - (x1 - x0) * (y1 - y0);
    static const double nothing[OUTSIDE] = {0, 0, 1, 0, 0, 0, 1};
    memcpy(found, nothing, sizeof nothing);
    if (rest <= 0.01 * whole) return;
    int boxes[SIDES][4] = {{left, top, right, y0}, {left, y1, right, bottom}, {left, y0, x0, y1}, {x1, y0, right, y1}};
    int bins[SIDES][BINS] = {{0}}, sizes[SIDES] = {0}, sharp[SIDES] = {0}, all[BINS] = {0}, total = 0, edges = 0;
    for (int side = 0; side < SIDES; side++) {
        for (int y = boxes[side][1]; y < boxes[side][3]; y++)
            for (int x = boxes[side][0]; x < boxes[side][2]; x++) {
                const float *pixel = grey + (size_t)y * width + x;
                float across = x ? fabsf(pixel[0] - pixel[-1]) : 0, down = y ? fabsf(pixel[0] - pixel[-width]) : 0;
                sharp[side] += across + down > 40;
                bins[side][level_of(*pixel) >> 3]++;
                sizes[side]++;
            }
        for (int bin = 0; bin < BINS; bin++) all[bin] += bins[side][bin];
        total += sizes[side];
        edges += sharp[side];
    }
    double down = (double)((bottom - y1) - (y0 - top)) / (bottom - top);
    double across = (double)((right - x1) - (x0 - left)) / (right - left);
    int side = fabs(down) >= fabs(across) ? (down > 0 ? 1 : 0) : (across > 0 ? 3 : 2);
    found[0] = (double)rest / whole;
    found[1] = (double)edges / rest;
    found[2] = plainness(all, total);
    found[3] = (double)(sizes[0] + sizes[1]) / rest;
    found[4] = most_d(fabs(down), fabs(across));
    found[5] = (double)sharp[side] / most(1, sizes[side]);
    found[6] = plainness(bins[side], sizes[side]);
}

static PyObject *py_outside(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array grey;
    double numbers_of[8], found[OUTSIDE];
    int boxes[8];
    if (!takes(count, 3) || !numbers(given[1], numbers_of, 4, "box")) return NULL;
    if (!numbers(given[2], numbers_of + 4, 4, "rectangle") || !take(&grey, given[0], "grey", 'f', 2, 0)) return NULL;
    for (int k = 0; k < 8; k++) boxes[k] = (int)numbers_of[k];
    if (boxes[0] < 0 || boxes[1] < 0 || boxes[2] > grey.shape[1] || boxes[3] > grey.shape[0] || boxes[0] >= boxes[2] ||
        boxes[1] >= boxes[3])
        return unfit(&grey, 1, "The box is empty or not inside grey.");
    if (boxes[4] > boxes[6] || boxes[5] > boxes[7]) return unfit(&grey, 1, "The rectangle ends before it begins.");
    Py_BEGIN_ALLOW_THREADS
    outside(grey.data, grey.shape[1], boxes, boxes + 4, found);
    Py_END_ALLOW_THREADS
    give_back(&grey, 1);
    return tuple_of(found, OUTSIDE);
}

/* Colours: features.colours_of */

enum { COLOURS = 6 };

static int colour(const float *a, const float *b, int count, double *found)
{
    float *power_a = malloc(sizeof(float) * 4 * (size_t)count);
    if (!power_a) return 0;
    float *power_b = power_a + count, *rest = power_b + count, *hues = rest + count;
    double total_a = 0, total_b = 0, both = 0, square = 0, sum = 0;
    for (int k = 0; k < count; k++) {
        power_a[k] = sqrtf(a[k] * a[k] + a[count + k] * a[count + k]);
        power_b[k] = sqrtf(b[k] * b[k] + b[count + k] * b[count + k]);
        total_a += power_a[k];
        total_b += power_b[k];
    }
    found[4] = least_d(total_a, total_b) / count;
    found[5] = most_d(total_a, total_b) / count;
    if (total_a < total_b) {
        const float *kept = a;
        a = b;
        b = kept;
    }
    for (int k = 0; k < 2 * count; k++) {
        both += a[k] * b[k];
        square += a[k] * a[k];
    }
    double scale = least_d(most_d(both / most_d(square, 1e-3), 0.05), 2.0);
    float gain = (float)scale;
    int strong = 0;
    for (int k = 0; k < count; k++) {
        float one = gain * a[k] - b[k], other = gain * a[count + k] - b[count + k];
        rest[k] = sqrtf(one * one + other * other);
        sum += rest[k];
        if (power_a[k] > 12 && power_b[k] > 12)
            hues[strong++] = 1 - (a[k] * b[k] + a[count + k] * b[count + k]) / most_f(power_a[k] * power_b[k], 1e-3f);
    }
    int few = count / 32;
    found[0] = scale;
    found[1] = sum / count;
    found[2] = nth(rest, count, most(count - 8, 0));
    found[3] = strong >= few && strong ? nth(hues, strong, strong - most(few, 1)) : 0;
    free(power_a);
    return 1;
}

static PyObject *py_colour(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[2];
    double found[COLOURS];
    if (!takes(count, 2) || !take(&arrays[0], given[0], "a", 'f', 3, 0)) return NULL;
    if (!take(&arrays[1], given[1], "b", 'f', 3, 0)) return give_back(arrays, 1), NULL;
    const int *a = arrays[0].shape, *b = arrays[1].shape;
    if (a[0] != 2 || b[0] != 2 || a[1] != b[1] || a[2] != b[2])
        return unfit(arrays, 2, "a and b are not two bands of equal shapes.");
    int is_done;
    Py_BEGIN_ALLOW_THREADS
    is_done = colour(arrays[0].data, arrays[1].data, a[1] * a[2], found);
    Py_END_ALLOW_THREADS
    give_back(arrays, 2);
    return is_done ? tuple_of(found, COLOURS) : PyErr_NoMemory();
}
