/* What the copies of a picture have in common; the definitions are in keeper_detail.py and keeper_ground.py. */

enum { COLUMNS = 64 }; /* Columns that are sorted at once: a block of 64 rows stays in the first cache. */

/* Puts the lower of each two numbers into the first line. */
FAST static void in_order(float *lower, float *upper)
{
    for (int x = 0; x < COLUMNS; x++) {
        float a = lower[x], b = upper[x];
        lower[x] = least_f(a, b);
        upper[x] = most_f(a, b);
    }
}

/* Sorts each column of a block of `count` rows by merge exchange (Knuth, volume 3, algorithm 5.2.2 M), whose steps do
   not depend on the numbers. */
static void sort_columns(float *block, int count)
{
    int top = 1;
    while (2 * top < count) top *= 2;
    for (int p = top; p > 0; p /= 2)
        for (int q = top, r = 0, d = p;; d = q - p, q /= 2, r = p) {
            for (int i = 0; i + d < count; i++)
                if ((i & p) == r) in_order(block + (size_t)i * COLUMNS, block + (size_t)(i + d) * COLUMNS);
            if (q == p) break;
        }
}

/* keeper_detail.median: of each column of `count` rows of `width` numbers; 0 if there is no memory. */
static int median(const float *rows, int count, int width, float *out)
{
    float *block = calloc((size_t)count * COLUMNS, sizeof(float));
    if (!block) return 0;
    for (int from = 0; from < width; from += COLUMNS) {
        int wide = least(COLUMNS, width - from);
        for (int row = 0; row < count; row++)
            memcpy(block + (size_t)row * COLUMNS, rows + (size_t)row * width + from, sizeof(float) * (size_t)wide);
        sort_columns(block, count);
        const float *low = block + (size_t)((count - 1) / 2) * COLUMNS, *high = block + (size_t)(count / 2) * COLUMNS;
        for (int x = 0; x < wide; x++) out[from + x] = count % 2 ? low[x] : (low[x] + high[x]) / 2;
    }
    free(block);
    return 1;
}

static PyObject *py_median(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[2];
    if (!takes(count, 2) || !take(&arrays[0], given[0], "rows", 'f', 2, 0)) return NULL;
    if (!take(&arrays[1], given[1], "out", 'f', 1, 1)) return give_back(arrays, 1), NULL;
    int rows = arrays[0].shape[0], width = arrays[0].shape[1], is_done;
    if (arrays[1].shape[0] != width) return unfit(arrays, 2, "out has another length than the rows.");
    Py_BEGIN_ALLOW_THREADS
    is_done = median(arrays[0].data, rows, width, arrays[1].data);
    Py_END_ALLOW_THREADS
    give_back(arrays, 2);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* keeper_ground.fine_detail */

FAST static void three_lines(const float *above, const float *here, const float *below, int width, float *sums)
{
    for (int x = 0; x < width; x++) sums[x + 1] = above[x] + here[x] + below[x];
    sums[0] = sums[1];
    sums[width + 1] = sums[width];
}

FAST static void minus_means(const float *here, const float *sums, int width, float *out)
{
    for (int x = 0; x < width; x++) out[x] = here[x] - (sums[x] + sums[x + 1] + sums[x + 2]) / 9;
}

static PyObject *py_fine_detail(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[2];
    if (!takes(count, 2) || !take(&arrays[0], given[0], "grey", 'f', 2, 0)) return NULL;
    if (!take(&arrays[1], given[1], "out", 'f', 2, 1)) return give_back(arrays, 1), NULL;
    int height = arrays[0].shape[0], width = arrays[0].shape[1];
    if (arrays[1].shape[0] != height || arrays[1].shape[1] != width)
        return unfit(arrays, 2, "grey and out have different shapes.");
    const float *grey = arrays[0].data;
    float *out = arrays[1].data, *sums = malloc(sizeof(float) * ((size_t)width + 2));
    if (sums) {
        Py_BEGIN_ALLOW_THREADS
        for (int y = 0; y < height; y++) {
            const float *here = grey + (size_t)y * width;
            three_lines(y ? here - width : here, here, y + 1 < height ? here + width : here, width, sums);
            minus_means(here, sums, width, out + (size_t)y * width);
        }
        Py_END_ALLOW_THREADS
    }
    int is_done = sums != NULL;
    free(sums);
    give_back(arrays, 2);
    if (!is_done) return PyErr_NoMemory();
    Py_RETURN_NONE;
}
