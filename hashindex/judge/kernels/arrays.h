/* Arrays from Python, checked, and small helpers. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 28 }; /* The most numbers in an array: all of them can be counted by an int. */

/* Two versions of a loop, of which the processor's is chosen when the module is loaded. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && !defined(NO_CLONES)
#define FAST __attribute__((target_clones("avx2", "default")))
#else
#define FAST
#endif

static int least(int a, int b) { return a < b ? a : b; }
static int most(int a, int b) { return a > b ? a : b; }
static float least_f(float a, float b) { return a < b ? a : b; }
static float most_f(float a, float b) { return a > b ? a : b; }
static double least_d(double a, double b) { return a < b ? a : b; }
static double most_d(double a, double b) { return a > b ? a : b; }

/* Arrays */

typedef struct {
    Py_buffer view;
    void *data;
    int shape[3];
} Array;

/* Whether the letter of a buffer's format is of this type; types are f, d, B, and q and Q for 64 bits. */
static int is_of(char letter, char type)
{
    if (type == 'q') return letter == 'q' || letter == 'l' || letter == 'n';
    if (type == 'Q') return letter == 'Q' || letter == 'L' || letter == 'N';
    return letter == type;
}

static Py_ssize_t size_of(char type) { return type == 'B' ? 1 : type == 'f' ? 4 : 8; }

static int refused(Array *array, const char *name, const char *why)
{
    PyBuffer_Release(&array->view);
    PyErr_Format(PyExc_ValueError, "%s %s", name, why);
    return 0;
}

/* Takes an array of this type and number of dimensions, which is not empty. Returns 0 after an error. */
static int take(Array *array, PyObject *from, const char *name, char type, int dimensions, int is_written)
{
    if (PyObject_GetBuffer(from, &array->view, PyBUF_STRIDES | PyBUF_FORMAT | (is_written ? PyBUF_WRITABLE : 0)) < 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s must be an array%s.", name, is_written ? " that can be written" : "");
        return 0;
    }
    const char *format = array->view.format ? array->view.format : "B";
    if (!is_of(format[0], type) || format[1] || array->view.itemsize != size_of(type))
        return refused(array, name, "has another type of numbers.");
    if (array->view.ndim != dimensions) return refused(array, name, "has another number of dimensions.");
    Py_ssize_t all = 1;
    for (int k = 0; k < dimensions; k++) {
        if (array->view.shape[k] < 1 || array->view.shape[k] > MOST / all)
            return refused(array, name, "is empty or too large.");
        all *= array->view.shape[k];
        array->shape[k] = (int)array->view.shape[k];
    }
    if (!PyBuffer_IsContiguous(&array->view, 'C')) return refused(array, name, "is not contiguous.");
    if ((uintptr_t)array->view.buf % (size_t)size_of(type)) return refused(array, name, "is not aligned.");
    array->data = array->view.buf;
    return 1;
}

static void give_back(Array *arrays, int count)
{
    for (int k = 0; k < count; k++) PyBuffer_Release(&arrays[k].view);
}

/* Releases the arrays and raises ValueError. */
static PyObject *unfit(Array *arrays, int count, const char *why)
{
    give_back(arrays, count);
    PyErr_SetString(PyExc_ValueError, why);
    return NULL;
}

static int takes(Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted) return 1;
    PyErr_Format(PyExc_TypeError, "%zd arguments are needed, not %zd.", wanted, given);
    return 0;
}

/* Reads numbers that are finite and smaller than 1e9 from a sequence of exactly this length. */
static int numbers(PyObject *from, double *to, int count, const char *name)
{
    if (!PySequence_Check(from) || PySequence_Size(from) != count) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s must have %d numbers.", name, count);
        return 0;
    }
    for (int k = 0; k < count; k++) {
        PyObject *item = PySequence_GetItem(from, k);
        if (!item) return 0;
        to[k] = PyFloat_AsDouble(item);
        Py_DECREF(item);
        if (to[k] == -1.0 && PyErr_Occurred()) return 0;
        if (!(fabs(to[k]) < 1e9)) {
            PyErr_Format(PyExc_ValueError, "A number of %s is not finite or too large.", name);
            return 0;
        }
    }
    return 1;
}

static PyObject *tuple_of(const double *from, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int k = 0; tuple && k < count; k++) {
        PyObject *number = PyFloat_FromDouble(from[k]);
        if (!number || PyTuple_SetItem(tuple, k, number) < 0) {
            Py_DECREF(tuple);
            return NULL;
        }
    }
    return tuple;
}

/* Sums. Eight at a time, because one sum would wait for itself. */

enum { LANES = 8 };

static double added(const double *lanes)
{
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

FAST static double sum_of(const float *values, int count)
{
    double lanes[LANES] = {0}, rest = 0;
    int k = 0;
    for (; k + LANES <= count; k += LANES)
        for (int lane = 0; lane < LANES; lane++) lanes[lane] += values[k + lane];
    for (; k < count; k++) rest += values[k];
    return added(lanes) + rest;
}

/* The sum of the products, each of which is exact. */
FAST static double dot(const float *a, const float *b, int count)
{
    double lanes[LANES] = {0}, rest = 0;
    int k = 0;
    for (; k + LANES <= count; k += LANES)
        for (int lane = 0; lane < LANES; lane++) lanes[lane] += (double)a[k + lane] * b[k + lane];
    for (; k < count; k++) rest += (double)a[k] * b[k];
    return added(lanes) + rest;
}

/* Takes a and b, of equal shapes, and the three-dimensional out. */
static int take_two_and_out(Array *arrays, PyObject *const *given, Py_ssize_t count)
{
    if (!takes(count, 3) || !take(&arrays[0], given[0], "a", 'f', 2, 0)) return 0;
    if (!take(&arrays[1], given[1], "b", 'f', 2, 0)) return give_back(arrays, 1), 0;
    if (!take(&arrays[2], given[2], "out", 'f', 3, 1)) return give_back(arrays, 2), 0;
    const int *a = arrays[0].shape, *b = arrays[1].shape;
    if (a[0] != b[0] || a[1] != b[1]) return unfit(arrays, 3, "a and b have different shapes."), 0;
    return 1;
}
