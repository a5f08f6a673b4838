/* What is computed from one frame; the definitions are in planes.py. */

/* Means of parts of a box: planes.area */

typedef struct {
    int first, count;
    const double *weights;
} Span;

/* The pixels under each of `out` equal parts of [start, stop) and their weights. pool: room for room(count, out). */
static size_t room(int count, int out) { return (size_t)count + 4 * (size_t)out + 16; }

static void spans_of(int count, double start, double stop, int out, Span *spans, double *pool)
{
    double size = (stop - start) / out;
    int is_small = size < 1;
    float length = is_small ? 1.0f : (float)size, share = is_small ? 1.0f : (float)(1 / size);
    float end = (float)count;
    double *limit = pool + room(count, out);
    int reaches_out = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < out; k++) {
            float low = (float)(start + size * k), high = (float)(start + size * (k + 1));
            if (is_small) {
                float middle = (low + high) / 2;
                low = middle - 0.5f;
                high = middle + 0.5f;
            }
            if (!pass) {
                /* As in NumPy, where the first and the last part decide. */
                if ((k == 0 && low < 0) || (k == out - 1 && high > end)) reaches_out = 1;
                continue;
            }
            float before = 0, after = 0;
            if (reaches_out) {
                before = least_f(high, 0) - least_f(low, 0);
                after = most_f(high, end) - most_f(low, end);
                low = least_f(most_f(low, 0), end);
                high = least_f(most_f(high, 0), end);
            }
            int first = least(most((int)least_f(most_f(low, 0), end), 0), count - 1);
            int last = least(most((int)ceilf(least_f(most_f(high, 0), end)) - 1, first), count - 1);
            if (before > 0) first = 0;
            if (after > 0) last = count - 1;
            /* Parts follow each other, so this holds; the bound keeps a mistake from writing elsewhere. */
            if (last - first + 1 > limit - pool) last = first + (int)(limit - pool) - 1;
            spans[k].first = first;
            spans[k].count = last - first + 1;
            spans[k].weights = pool;
            for (int pixel = first; pixel <= last; pixel++) {
                float covered = least_f(high, (float)pixel + 1) - most_f(low, (float)pixel);
                if (!(covered > 0)) covered = 0;
                if (pixel == 0) covered += before;
                if (pixel == count - 1) covered += after;
                *pool++ = reaches_out ? covered / length : covered * share;
            }
        }
    }
}

/* The means of rows x columns parts. line: room for `width`. */
FAST static void reduce(const float *picture, int width, const Span *rows, int down, const Span *columns, int across,
                        double *out, double *line)
{
    int from = columns[0].first, to = columns[across - 1].first + columns[across - 1].count;
    for (int i = 0; i < down; i++) {
        const Span *row = rows + i;
        const float *pixels = picture + (size_t)row->first * width;
        double weight = row->count > 0 ? row->weights[0] : 0;
        for (int x = from; x < to; x++) line[x] = weight * pixels[x];
        for (int k = 1; k < row->count; k++) {
            weight = row->weights[k];
            pixels += width;
            for (int x = from; x < to; x++) line[x] += weight * pixels[x];
        }
        for (int x = 0; x < across; x++) {
            const Span *column = columns + x;
            const double *values = line + column->first;
            double sum = 0;
            for (int k = 0; k < column->count; k++) sum += column->weights[k] * values[k];
            out[(size_t)i * across + x] = sum;
        }
    }
}

/* A box of a picture, reduced into out. 0 if there is no memory. */
static int shrink(const float *pictures, int count, int height, int width, const double *box, int down, int across,
                  float *out)
{
    size_t size = (size_t)down * across;
    double *memory = malloc(sizeof(double) * (room(height, down) + room(width, across) + (size_t)width + size));
    Span *spans = malloc(sizeof(Span) * ((size_t)down + across));
    if (memory && spans) {
        double *columns = memory + room(height, down), *line = columns + room(width, across), *means = line + width;
        spans_of(height, box[1], box[3], down, spans, memory);
        spans_of(width, box[0], box[2], across, spans + down, columns);
        for (int n = 0; n < count; n++) {
            reduce(pictures + (size_t)n * height * width, width, spans, down, spans + down, across, means, line);
            for (size_t k = 0; k < size; k++) out[n * size + k] = (float)means[k];
        }
    }
    int is_done = memory && spans;
    free(memory);
    free(spans);
    return is_done;
}

static PyObject *py_shrink(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[2];
    double box[4];
    if (!takes(count, 3) || !numbers(given[1], box, 4, "box")) return NULL;
    if (!take(&arrays[0], given[0], "pictures", 'f', 3, 0)) return NULL;
    if (!take(&arrays[1], given[2], "out", 'f', 3, 1)) return give_back(arrays, 1), NULL;
    const int *from = arrays[0].shape, *to = arrays[1].shape;
    if (from[0] != to[0]) return unfit(arrays, 2, "out has another number of pictures.");
    int is_done;
    Py_BEGIN_ALLOW_THREADS
    is_done = shrink(arrays[0].data, from[0], from[1], from[2], box, to[1], to[2], arrays[1].data);
    Py_END_ALLOW_THREADS
    give_back(arrays, 2);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Thumbs: planes.Plane.thumbs */

enum { THUMB = 16, PIXELS = THUMB * THUMB };

static int thumb(const float *pictures, int count, int height, int width, const double *boxes, int parts, float *out)
{
    size_t needed = room(height, THUMB) + room(width, THUMB);
    double *memory = malloc(sizeof(double) * (needed + (size_t)width));
    double means[PIXELS];
    Span spans[2 * THUMB];
    if (!memory) return 0;
    for (int part = 0; part < parts; part++) {
        const double *box = boxes + 4 * part;
        spans_of(height, box[1], box[3], THUMB, spans, memory);
        spans_of(width, box[0], box[2], THUMB, spans + THUMB, memory + room(height, THUMB));
        for (int n = 0; n < count; n++) {
            float *to = out + ((size_t)n * parts + part) * PIXELS;
            reduce(pictures + (size_t)n * height * width, width, spans, THUMB, spans + THUMB, THUMB, means,
                   memory + needed);
            double sum = 0, power = 0;
            for (int k = 0; k < PIXELS; k++) sum += means[k];
            double mean = sum / PIXELS;
            for (int k = 0; k < PIXELS; k++) means[k] -= mean, power += means[k] * means[k];
            double length = most_d(sqrt(power), 16.0);
            for (int k = 0; k < PIXELS; k++) to[k] = (float)(means[k] / length);
        }
    }
    free(memory);
    return 1;
}

static PyObject *py_thumb(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[3];
    if (!takes(count, 3) || !take(&arrays[0], given[0], "pictures", 'f', 3, 0)) return NULL;
    if (!take(&arrays[1], given[1], "boxes", 'd', 2, 0)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[2], "out", 'f', 3, 1)) return give_back(arrays, 2), NULL;
    const int *from = arrays[0].shape, *boxes = arrays[1].shape, *to = arrays[2].shape;
    if (boxes[1] != 4 || to[0] != from[0] || to[1] != boxes[0] || to[2] != PIXELS)
        return unfit(arrays, 3, "The shapes of boxes and out do not fit the pictures.");
    for (int k = 0; k < 4 * boxes[0]; k++)
        if (!(fabs(((double *)arrays[1].data)[k]) < 1e9)) return unfit(arrays, 3, "A box is not finite or too large.");
    int is_done;
    Py_BEGIN_ALLOW_THREADS
    is_done = thumb(arrays[0].data, from[0], from[1], from[2], arrays[1].data, boxes[0], arrays[2].data);
    Py_END_ALLOW_THREADS
    give_back(arrays, 3);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Templates of registration */

static float centre(int place, int count) { return (float)((place + 0.5) / count * 2 - 1); }

static int pixels_of(int height, int width, int every_other)
{
    return every_other ? (height * width + 1) / 2 : height * width;
}

/* Inverts a symmetric positive definite matrix, by elimination with pivots. */
static void invert(double *matrix, double *inverse)
{
    double table[6][12];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            table[i][j] = matrix[i * 6 + j];
            table[i][6 + j] = i == j;
        }
    for (int column = 0; column < 6; column++) {
        int pivot = column;
        for (int row = column + 1; row < 6; row++)
            if (fabs(table[row][column]) > fabs(table[pivot][column])) pivot = row;
        for (int j = 0; j < 12; j++) {
            double kept = table[pivot][j];
            table[pivot][j] = table[column][j];
            table[column][j] = kept;
        }
        double divisor = table[column][column];
        for (int j = 0; j < 12; j++) table[column][j] /= divisor;
        for (int row = 0; row < 6; row++) {
            double factor = table[row][column];
            if (row == column) continue;
            for (int j = 0; j < 12; j++) table[row][j] -= factor * table[column][j];
        }
    }
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) inverse[i * 6 + j] = table[i][6 + j];
}

enum { PRODUCTS = 9 };

/* The sums over a row of gx gx, gx gy and gy gy, each times 1, x and x x. */
FAST static void products(const float *across, const float *down, const float *x, int count, double *sums)
{
    double lanes[PRODUCTS][LANES] = {{0}};
    for (int k = 0; k < count; k += LANES) {
        double gx[LANES] = {0}, gy[LANES] = {0}, place[LANES] = {0};
        for (int lane = 0; lane < least(LANES, count - k); lane++)
            gx[lane] = across[k + lane], gy[lane] = down[k + lane], place[lane] = x[k + lane];
        for (int lane = 0; lane < LANES; lane++) {
            double xx = gx[lane] * gx[lane], xy = gx[lane] * gy[lane], yy = gy[lane] * gy[lane];
            double first = place[lane], second = first * first;
            lanes[0][lane] += xx, lanes[1][lane] += xx * first, lanes[2][lane] += xx * second;
            lanes[3][lane] += xy, lanes[4][lane] += xy * first, lanes[5][lane] += xy * second;
            lanes[6][lane] += yy, lanes[7][lane] += yy * first, lanes[8][lane] += yy * second;
        }
    }
    for (int k = 0; k < PRODUCTS; k++) sums[k] = added(lanes[k]);
}

/* Adds a row's part of the upper triangle of the Hessian; the changes are gx x, gx y, gx, gy x, gy y, gy. */
static void add_row(const double *sums, double y, double *hessian)
{
    for (int p = 0; p < 6; p++)
        for (int q = p; q < 6; q++) {
            const double *of = sums + 3 * (p / 3 + q / 3); /* gx gx, gx gy or gy gy */
            int powers = (p % 3 == 0) + (q % 3 == 0);
            double times = (p % 3 == 1 ? y : 1) * (q % 3 == 1 ? y : 1);
            hessian[p * 6 + q] += of[powers] * times;
        }
}

/* Fills values, gradients and inverse, and returns the power. columns: room for `width`. */
static double make_template(const float *picture, int height, int width, int every_other, float *values,
                            float *gradients, double *inverse, float *columns)
{
    int count = pixels_of(height, width, every_other), n = 0;
    float *across = gradients, *down = gradients + count;
    float half_width = (float)(width / 2.0), half_height = (float)(height / 2.0);
    double sums[36] = {0};
    for (int i = 0; i < height; i++) {
        const float *row = picture + (size_t)i * width;
        const float *above = i ? row - width : row, *below = i < height - 1 ? row + width : row;
        float down_share = i && i < height - 1 ? 0.5f : 1.0f;
        int begin = n;
        for (int j = every_other ? i & 1 : 0; j < width; j += every_other ? 2 : 1) {
            int before = j ? j - 1 : j, after = j < width - 1 ? j + 1 : j;
            across[n] = (row[after] - row[before]) * (j && j < width - 1 ? 0.5f : 1.0f) * half_width;
            down[n] = (below[j] - above[j]) * down_share * half_height;
            columns[n - begin] = centre(j, width);
            values[n++] = row[j];
        }
        double row_sums[PRODUCTS];
        products(across + begin, down + begin, columns, n - begin, row_sums);
        add_row(row_sums, centre(i, height), sums);
    }
    double sum = sum_of(values, count);
    double trace = 0;
    for (int p = 0; p < 6; p++) {
        trace += sums[p * 7];
        for (int q = 0; q < p; q++) sums[p * 6 + q] = sums[q * 6 + p];
    }
    double ridge = 1e-3 * trace / 6 + 1e-3;
    for (int p = 0; p < 6; p++) sums[p * 7] += ridge;
    invert(sums, inverse);
    float mean = (float)(sum / count);
    for (int k = 0; k < count; k++) values[k] -= mean;
    return dot(values, values, count);
}

static PyObject *py_template(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[4];
    if (!takes(count, 5)) return NULL;
    int every_other = PyObject_IsTrue(given[1]);
    if (every_other < 0 || !take(&arrays[0], given[0], "picture", 'f', 2, 0)) return NULL;
    if (!take(&arrays[1], given[2], "values", 'f', 1, 1)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[3], "gradients", 'f', 2, 1)) return give_back(arrays, 2), NULL;
    if (!take(&arrays[3], given[4], "inverse", 'd', 2, 1)) return give_back(arrays, 3), NULL;
    int height = arrays[0].shape[0], width = arrays[0].shape[1], n = pixels_of(height, width, every_other);
    if (least(height, width) < 2) return unfit(arrays, 4, "A side of the picture is shorter than 2 pixels.");
    if (arrays[1].shape[0] != n || arrays[2].shape[0] != 2 || arrays[2].shape[1] != n || arrays[3].shape[0] != 6 ||
        arrays[3].shape[1] != 6)
        return unfit(arrays, 4, "The shapes of values, gradients and inverse do not fit the picture.");
    double power = 0;
    float *columns = malloc(sizeof(float) * (size_t)width);
    int is_done = columns != NULL;
    if (is_done) {
        Py_BEGIN_ALLOW_THREADS
        power = make_template(arrays[0].data, height, width, every_other, arrays[1].data, arrays[2].data,
                              arrays[3].data, columns);
        Py_END_ALLOW_THREADS
    }
    free(columns);
    give_back(arrays, 4);
    return is_done ? PyFloat_FromDouble(power) : PyErr_NoMemory();
}

/* Grey levels and colours of pixels in YCbCr: planes.Frame.of */

static PyObject *py_split(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[3];
    if (!takes(count, 3) || !take(&arrays[0], given[0], "pixels", 'B', 3, 0)) return NULL;
    if (!take(&arrays[1], given[1], "grey", 'f', 2, 1)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[2], "chroma", 'f', 3, 1)) return give_back(arrays, 2), NULL;
    const int *from = arrays[0].shape, *grey = arrays[1].shape, *chroma = arrays[2].shape;
    if (from[2] != 3 || grey[0] != from[0] || grey[1] != from[1] || chroma[0] != 2 || chroma[1] != from[0] ||
        chroma[2] != from[1])
        return unfit(arrays, 3, "The shapes of grey and chroma do not fit the pixels.");
    const uint8_t *pixel = arrays[0].data;
    float *levels = arrays[1].data, *blue = arrays[2].data, *red = blue + from[0] * from[1];
    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < from[0] * from[1]; k++, pixel += 3) {
        levels[k] = pixel[0];
        blue[k] = (float)(pixel[1] - 128);
        red[k] = (float)(pixel[2] - 128);
    }
    Py_END_ALLOW_THREADS
    give_back(arrays, 3);
    Py_RETURN_NONE;
}

/* Standard deviation: planes.deviation */

FAST static double squares_of(const float *values, float mean, int count)
{
    double lanes[LANES] = {0}, rest = 0;
    int k = 0;
    for (; k + LANES <= count; k += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            float off = values[k + lane] - mean;
            off *= off;
            lanes[lane] += off;
        }
    for (; k < count; k++) {
        float off = values[k] - mean;
        off *= off;
        rest += off;
    }
    return added(lanes) + rest;
}

static PyObject *py_deviation(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array values;
    if (!takes(count, 1) || !take(&values, given[0], "values", 'f', 2, 0)) return NULL;
    int size = values.shape[0] * values.shape[1];
    const float *value = values.data;
    double power;
    Py_BEGIN_ALLOW_THREADS
    power = squares_of(value, (float)(sum_of(value, size) / size), size);
    Py_END_ALLOW_THREADS
    give_back(&values, 1);
    return PyFloat_FromDouble(sqrt(power / size));
}
