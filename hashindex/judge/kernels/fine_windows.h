/* Windows of large pictures; the definitions are in fine_windows.py. */

/* Windows of large pictures: fine_windows.measured, all in 32 bits */

/* The sums of three rows: of a, b, their squares and their products, each of `width` numbers. */
FAST static void three_rows(const float *a, const float *b, int width, float *out)
{
    const float *a1 = a + width, *a2 = a1 + width, *b1 = b + width, *b2 = b1 + width;
    float *one = out, *other = one + width, *square_a = other + width, *square_b = square_a + width;
    float *both = square_b + width;
    for (int x = 0; x < width; x++) {
        float p0 = a[x] - 128, p1 = a1[x] - 128, p2 = a2[x] - 128, q0 = b[x] - 128, q1 = b1[x] - 128, q2 = b2[x] - 128;
        one[x] = p0 + p1 + p2;
        other[x] = q0 + q1 + q2;
        square_a[x] = p0 * p0 + p1 * p1 + p2 * p2;
        square_b[x] = q0 * q0 + q1 * q1 + q2 * q2;
        both[x] = p0 * q0 + p1 * q1 + p2 * q2;
    }
}

FAST static void nine_rows(const float *first, const float *second, const float *third, int count, float *out)
{
    for (int x = 0; x < count; x++) out[x] = first[x] + second[x] + third[x];
}

FAST static void fine_row(const float *blocks, int apart, int columns, float *difference, float *power_a,
                          float *power_b)
{
    const float share = (float)(1.0 / (WINDOW * WINDOW)), noise = (float)NOISE;
    for (int x = 0; x < columns; x++) {
        float mean[5];
        for (int kind = 0; kind < 5; kind++) {
            const float *from = blocks + kind * apart + x;
            mean[kind] = (from[0] + from[1] + from[2]) * share;
        }
        float a = mean[2] - mean[0] * mean[0], b = mean[3] - mean[1] * mean[1], both = mean[4] - mean[0] * mean[1];
        a = a > 0 ? a : 0;
        b = b > 0 ? b : 0;
        power_a[x] = a;
        power_b[x] = b;
        difference[x] = 1 - (2 * both + noise) / (a + b + noise);
    }
}

static int measure(const float *a, const float *b, int height, int width, int rows, int columns, float *difference,
                   float *power_a, float *power_b)
{
    int blocks = width / STRIDE, apart = 5 * width;
    float *lines = malloc(sizeof(float) * ((size_t)5 * apart)), *ring[3];
    if (!lines) return 0;
    for (int k = 0; k < 3; k++) ring[k] = lines + (size_t)k * apart;
    float *nine = lines + (size_t)3 * apart, *in_blocks = nine + apart;
    for (int block = 0; block < height / STRIDE; block++) {
        size_t from = (size_t)block * STRIDE * width;
        three_rows(a + from, b + from, width, ring[block % 3]);
        int row = block - 2;
        if (row < 0) continue;
        nine_rows(ring[row % 3], ring[(row + 1) % 3], ring[(row + 2) % 3], apart, nine);
        for (int kind = 0; kind < 5; kind++)
            for (int x = 0; x < blocks; x++) {
                const float *three = nine + kind * width + STRIDE * x;
                in_blocks[kind * width + x] = three[0] + three[1] + three[2];
            }
        size_t to = (size_t)row * columns;
        if (row < rows) fine_row(in_blocks, width, columns, difference + to, power_a + to, power_b + to);
    }
    free(lines);
    return 1;
}

static PyObject *py_measure(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[3];
    if (!take_two_and_out(arrays, given, count)) return NULL;
    int height = arrays[0].shape[0], width = arrays[0].shape[1];
    int rows = height / STRIDE - 2, columns = width / STRIDE - 2;
    const int *to = arrays[2].shape;
    if (rows < 1 || columns < 1 || to[0] != 3 || to[1] != rows || to[2] != columns)
        return unfit(arrays, 3, "The shape of out does not fit, or a and b are smaller than a window.");
    int is_done;
    float *out = arrays[2].data;
    size_t size = (size_t)rows * columns;
    Py_BEGIN_ALLOW_THREADS
    is_done = measure(arrays[0].data, arrays[1].data, height, width, rows, columns, out, out + size, out + 2 * size);
    Py_END_ALLOW_THREADS
    give_back(arrays, 3);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* fine_windows._table */

static PyObject *py_tally(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[3];
    if (!takes(count, 3) || !take(&arrays[0], given[0], "a", 'B', 2, 0)) return NULL;
    if (!take(&arrays[1], given[1], "b", 'B', 2, 0)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[2], "table", 'q', 2, 1)) return give_back(arrays, 2), NULL;
    int size = arrays[0].shape[0] * arrays[0].shape[1];
    if (arrays[1].shape[0] != arrays[0].shape[0] || arrays[1].shape[1] != arrays[0].shape[1])
        return unfit(arrays, 3, "a and b have different shapes.");
    if (arrays[2].shape[0] != 32 || arrays[2].shape[1] != 256) return unfit(arrays, 3, "The table is not 32 x 256.");
    const uint8_t *a = arrays[0].data, *b = arrays[1].data;
    int64_t *table = arrays[2].data;
    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < size; k++) table[(a[k] >> 3) * 256 + b[k]]++;
    Py_END_ALLOW_THREADS
    give_back(arrays, 3);
    Py_RETURN_NONE;
}

/* fine_windows._best_shift: the variance of the difference of a tile and each part of a larger tile */

FAST static double variance(const float *from, int width, const float *still, int side_y, int side_x)
{
    double sums[4] = {0}, power[4] = {0};
    for (int y = 0; y < side_y; y++)
        for (int x = 0; x + 4 <= side_x; x += 4)
            for (int lane = 0; lane < 4; lane++) {
                float off = from[y * width + x + lane] - still[y * side_x + x + lane];
                sums[lane] += off;
            }
    float mean = (float)(((sums[0] + sums[1]) + (sums[2] + sums[3])) / ((double)side_y * side_x));
    for (int y = 0; y < side_y; y++)
        for (int x = 0; x + 4 <= side_x; x += 4)
            for (int lane = 0; lane < 4; lane++) {
                float off = from[y * width + x + lane] - still[y * side_x + x + lane];
                off -= mean;
                off *= off;
                power[lane] += off;
            }
    return (power[0] + power[1]) + (power[2] + power[3]);
}

static PyObject *py_cost(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[3];
    if (!takes(count, 3) || !take(&arrays[0], given[0], "reach", 'f', 2, 0)) return NULL;
    if (!take(&arrays[1], given[1], "still", 'f', 2, 0)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[2], "cost", 'f', 2, 1)) return give_back(arrays, 2), NULL;
    const int *reach = arrays[0].shape, *still = arrays[1].shape, *shifts = arrays[2].shape;
    if (still[1] % 4 || reach[0] != still[0] + shifts[0] - 1 || reach[1] != still[1] + shifts[1] - 1)
        return unfit(arrays, 3, "The shapes of reach, still and cost do not fit.");
    float *to = arrays[2].data;
    Py_BEGIN_ALLOW_THREADS
    for (int y = 0; y < shifts[0]; y++)
        for (int x = 0; x < shifts[1]; x++) {
            float cost = (float)variance((const float *)arrays[0].data + (size_t)y * reach[1] + x, reach[1],
                                         arrays[1].data, still[0], still[1]);
            *to++ = cost < (float)FLAT ? 0 : cost;
        }
    Py_END_ALLOW_THREADS
    give_back(arrays, 3);
    Py_RETURN_NONE;
}
