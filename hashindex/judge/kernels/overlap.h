/* The overlap of two frames and its windows; the definitions are in overlap.py. */

/* A picture at the pixels of a rectangle of another picture, of `height` x `width`: overlap.overlap_of */

static PyObject *py_warp(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[2];
    double map[6], shape[2], corner[2];
    if (!takes(count, 5) || !numbers(given[1], map, 6, "map") || !numbers(given[2], shape, 2, "shape")) return NULL;
    if (!numbers(given[3], corner, 2, "corner") || !take(&arrays[0], given[0], "picture", 'f', 2, 0)) return NULL;
    if (!take(&arrays[1], given[4], "out", 'f', 2, 1)) return give_back(arrays, 1), NULL;
    int rows = arrays[0].shape[0], columns = arrays[0].shape[1], down = arrays[1].shape[0], across = arrays[1].shape[1];
    if (least(rows, columns) < 2) return unfit(arrays, 2, "A side of the picture is shorter than 2 pixels.");
    if (shape[0] < 1 || shape[1] < 1) return unfit(arrays, 2, "The shape is empty.");
    float *x = malloc(sizeof(float) * (size_t)across), into[6];
    uint8_t *inside = malloc((size_t)across);
    int is_done = x && inside;
    if (is_done) {
        Py_BEGIN_ALLOW_THREADS
        in_pixels(map, rows, columns, into);
        for (int k = 0; k < across; k++) x[k] = centre((int)corner[0] + k, (int)shape[1]);
        for (int k = 0; k < down; k++)
            sample(arrays[0].data, rows, columns, x, centre((int)corner[1] + k, (int)shape[0]), across, into,
                   (float *)arrays[1].data + (size_t)k * across, inside);
        Py_END_ALLOW_THREADS
    }
    free(x);
    free(inside);
    give_back(arrays, 2);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Windows: overlap.windows */

enum { WINDOW = 9, STRIDE = 3, SHIFTED_MOST = 128, SPOT = 5 };
static const double NOISE = 100, FLAT = 1e-3; /* overlap.NOISE squared, overlap.FLAT */

typedef struct {
    int rows, columns;
    float *difference, *power_a, *power_b, *mean;
} Windows;

static int windows_along(int length) { return (length - least(WINDOW, length)) / STRIDE + 1; }

/* Sums of a, b and their products over blocks of STRIDE x STRIDE pixels. */
FAST static void block_sums(const float *a, const float *b, int width, int blocks, double *sums, size_t apart,
                            double *line)
{
    for (int x = 0; x < blocks * STRIDE; x++) {
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0;
        for (int y = 0; y < STRIDE; y++) {
            double one = a[y * width + x], other = b[y * width + x];
            s0 += one;
            s1 += other;
            s2 += one * one;
            s3 += other * other;
            s4 += one * other;
        }
        line[x] = s0;
        line[x + width] = s1;
        line[x + 2 * width] = s2;
        line[x + 3 * width] = s3;
        line[x + 4 * width] = s4;
    }
    for (int kind = 0; kind < 5; kind++)
        for (int x = 0; x < blocks; x++) {
            const double *from = line + kind * width + STRIDE * x;
            sums[(size_t)kind * apart + (size_t)x] = from[0] + from[1] + from[2];
        }
}

/* overlap._shifted for one window: its smallest difference if a is shifted by one pixel. */
FAST static float shifted(const float *a, const float *b, int height, int width, int row, int column)
{
    int y = least(most(row * STRIDE, 1), height - WINDOW - 1), x = least(most(column * STRIDE, 1), width - WINDOW - 1);
    /* A sum for each column. b is taken minus its mean, so that only one product of sums remains. */
    double still[WINDOW * WINDOW], sum = 0, power_b = 0;
    for (int i = 0; i < WINDOW; i++)
        for (int j = 0; j < WINDOW; j++) still[i * WINDOW + j] = b[(y + i) * width + x + j];
    for (int k = 0; k < WINDOW * WINDOW; k++) sum += still[k];
    for (int k = 0; k < WINDOW * WINDOW; k++) still[k] -= sum / (WINDOW * WINDOW);
    for (int k = 0; k < WINDOW * WINDOW; k++) power_b += still[k] * still[k];
    static const int down[4] = {0, 0, 1, -1}, across[4] = {1, -1, 0, 0};
    const double noise = NOISE * WINDOW * WINDOW;
    float best = 2;
    for (int way = 0; way < 4; way++) {
        const float *from = a + (y + down[way]) * width + x + across[way];
        double sums[WINDOW] = {0}, squares[WINDOW] = {0}, products[WINDOW] = {0};
        for (int i = 0; i < WINDOW; i++)
            for (int j = 0; j < WINDOW; j++) {
                double value = from[i * width + j];
                sums[j] += value;
                squares[j] += value * value;
                products[j] += value * still[i * WINDOW + j];
            }
        double sum_a = 0, power_a = 0, both = 0;
        for (int j = 0; j < WINDOW; j++) sum_a += sums[j], power_a += squares[j], both += products[j];
        power_a -= sum_a * sum_a / (WINDOW * WINDOW);
        best = least_f(best, (float)(1 - (2 * both + noise) / (power_a + power_b + noise)));
    }
    return best;
}

typedef struct {
    float difference;
    int place;
} Bad;

static int by_difference(const void *a, const void *b)
{
    const Bad *one = a, *other = b;
    if (one->difference != other->difference) return one->difference < other->difference ? 1 : -1;
    return one->place - other->place;
}

/* overlap.windows; 0 if there is no memory. */
static int compare_windows(const float *a, const float *b, int height, int width, Windows *out)
{
    int rows = out->rows, columns = out->columns, count = rows * columns;
    int tall = least(WINDOW, height), wide = least(WINDOW, width), blocks = width / STRIDE;
    int is_whole = tall == WINDOW && wide == WINDOW;
    size_t apart = (size_t)(height / STRIDE + 1) * (size_t)(blocks + 1);
    double *sums = malloc(sizeof(double) * 5 * (apart + (size_t)width));
    Bad *bad = malloc(sizeof(Bad) * (size_t)count);
    int bads = 0;
    if (!sums || !bad) {
        free(sums);
        free(bad);
        return 0;
    }
    if (is_whole)
        for (int row = 0; row < height / STRIDE; row++)
            block_sums(a + (size_t)row * STRIDE * width, b + (size_t)row * STRIDE * width, width, blocks,
                       sums + (size_t)row * blocks, apart, sums + 5 * apart);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            double mean[5];
            int place = row * columns + column;
            for (int kind = 0; kind < 5; kind++) {
                double sum = 0;
                if (is_whole) {
                    const double *from = sums + (size_t)kind * apart + row * blocks + column;
                    for (int i = 0; i < 3; i++) sum += from[i * blocks] + from[i * blocks + 1] + from[i * blocks + 2];
                } else {
                    for (int i = row * STRIDE; i < row * STRIDE + tall; i++)
                        for (int j = column * STRIDE; j < column * STRIDE + wide; j++) {
                            double one = a[(size_t)i * width + j], other = b[(size_t)i * width + j];
                            double values[5] = {one, other, one * one, other * other, one * other};
                            sum += values[kind];
                        }
                }
                mean[kind] = sum / (tall * wide);
            }
            double power_a = mean[2] - mean[0] * mean[0], power_b = mean[3] - mean[1] * mean[1];
            power_a = power_a < FLAT ? 0 : power_a;
            power_b = power_b < FLAT ? 0 : power_b;
            float difference = (float)(1 - (2 * (mean[4] - mean[0] * mean[1]) + NOISE) / (power_a + power_b + NOISE));
            out->difference[place] = difference;
            out->power_a[place] = (float)power_a;
            out->power_b[place] = (float)power_b;
            out->mean[place] = (float)(mean[0] - mean[1]);
            if (difference > 0.25f) {
                bad[bads].difference = difference;
                bad[bads++].place = place;
            }
        }
    if (bads && bads <= 0.4 * count && least(height, width) > WINDOW + 2) {
        if (bads > SHIFTED_MOST) {
            qsort(bad, (size_t)bads, sizeof(Bad), by_difference);
            bads = SHIFTED_MOST;
        }
        for (int k = 0; k < bads; k++) {
            int place = bad[k].place;
            float found = shifted(a, b, height, width, place / columns, place % columns);
            out->difference[place] = least_f(out->difference[place], found);
        }
    }
    free(sums);
    free(bad);
    return 1;
}

static PyObject *py_windows(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[3];
    if (!take_two_and_out(arrays, given, count)) return NULL;
    int height = arrays[0].shape[0], width = arrays[0].shape[1];
    int rows = windows_along(height), columns = windows_along(width);
    const int *to = arrays[2].shape;
    if (to[0] != 4 || to[1] != rows || to[2] != columns) return unfit(arrays, 3, "The shape of out does not fit.");
    size_t size = (size_t)rows * columns;
    float *out = arrays[2].data;
    Windows view = {rows, columns, out, out + size, out + 2 * size, out + 3 * size};
    int is_done;
    Py_BEGIN_ALLOW_THREADS
    is_done = compare_windows(arrays[0].data, arrays[1].data, height, width, &view);
    Py_END_ALLOW_THREADS
    give_back(arrays, 3);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}
