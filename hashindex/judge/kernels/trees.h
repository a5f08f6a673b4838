/* The definition is in trees.py. */

/* Trees: trees.Trees.log_odds */

static PyObject *py_log_odds(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[5];
    if (!takes(count, 5) || !take(&arrays[0], given[0], "feature", 'q', 2, 0)) return NULL;
    if (!take(&arrays[1], given[1], "threshold", 'd', 2, 0)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[2], "left", 'Q', 2, 0)) return give_back(arrays, 2), NULL;
    if (!take(&arrays[3], given[3], "value", 'd', 2, 0)) return give_back(arrays, 3), NULL;
    if (!take(&arrays[4], given[4], "row", 'f', 1, 0)) return give_back(arrays, 4), NULL;
    int nodes = arrays[0].shape[0], trees = arrays[0].shape[1], leaves = arrays[3].shape[1];
    int features = arrays[4].shape[0];
    if (arrays[1].shape[0] != nodes || arrays[1].shape[1] != trees || arrays[2].shape[0] != nodes ||
        arrays[2].shape[1] != trees || arrays[3].shape[0] != trees)
        return unfit(arrays, 5, "The arrays of the trees do not fit each other.");
    const int64_t *feature = arrays[0].data;
    const uint64_t *left = arrays[2].data;
    const double *threshold = arrays[1].data, *value = arrays[3].data;
    const float *row = arrays[4].data;
    double sum = 0;
    int is_inside = 1;
    Py_BEGIN_ALLOW_THREADS
    for (int tree = 0; tree < trees && is_inside; tree++) {
        uint64_t remaining = UINT64_MAX;
        for (int node = 0; node < nodes; node++) {
            size_t at = (size_t)node * trees + tree;
            if (feature[at] < 0 || feature[at] >= features) is_inside = 0;
            else if (row[feature[at]] > threshold[at]) remaining &= left[at];
        }
        int leaf = 0;
        while (leaf < 64 && !(remaining >> leaf & 1)) leaf++;
        if (leaf >= leaves) is_inside = 0;
        if (is_inside) sum += value[(size_t)tree * leaves + leaf];
    }
    Py_END_ALLOW_THREADS
    give_back(arrays, 5);
    if (!is_inside) {
        PyErr_SetString(PyExc_ValueError, "A tree tests a feature that the row does not have, or has no leaf for it.");
        return NULL;
    }
    return PyFloat_FromDouble(sum);
}
