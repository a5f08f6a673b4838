/* The functions of the judge that take most of its time. Each has a definition in NumPy, which it must agree with.

   Each file in kernels/ has the name of the module with the definitions; tests/test_compiled.py compares them. Three
   rules make both ways give equal results:
   - Numbers that NumPy computes one by one in 32 bits are computed here by the same operations in the same order. The
     compiler must not contract a product and a sum into one operation (-ffp-contract=off).
   - Sums are 64 bits wide in both. Their order differs, so their last bits may differ, and they are rounded to 32 bits
     before anything is decided by equality.
   - Ties have a defined order.

   Arrays come in by the buffer protocol. Each is checked for its type, its dimensions and its contiguity: ValueError.
   All work is done without the GIL. */

#include "kernels/arrays.h"
#include "kernels/planes.h"
#include "kernels/candidates.h"
#include "kernels/registration.h"
#include "kernels/overlap.h"
#include "kernels/features.h"
#include "kernels/fine_windows.h"
#include "kernels/keeper.h"
#include "kernels/trees.h"

#define FUNCTION(name, text) {#name, (PyCFunction)(void (*)(void))py_##name, METH_FASTCALL, PyDoc_STR(text)}

static PyMethodDef functions[] = {
    FUNCTION(shrink, "shrink(pictures, box, out): planes.shrunk of each picture."),
    FUNCTION(thumb, "thumb(pictures, boxes, out): planes.Plane.thumbs of each picture."),
    FUNCTION(trim, "trim(grey): candidates.trimmed."),
    FUNCTION(template, "template(picture, every_other, values, gradients, inverse): planes.Template.of; the power."),
    FUNCTION(optimize, "optimize(picture, values, gradients, inverse, shape, power, start, steps): (map, agreement)."),
    FUNCTION(warp, "warp(picture, map, shape, corner, out): the picture at the pixels of a part of another picture."),
    FUNCTION(split, "split(pixels, grey, chroma): the bands of YCbCr as planes.Frame has them."),
    FUNCTION(deviation, "deviation(values): planes.deviation."),
    FUNCTION(match, "match(a, b, out): features.matched of thumbs."),
    FUNCTION(windows, "windows(a, b, out): overlap.windows."),
    FUNCTION(median, "median(rows, out): keeper_detail.median."),
    FUNCTION(fine_detail, "fine_detail(grey, out): keeper_ground.fine_detail."),
    FUNCTION(measure, "measure(a, b, out): fine_windows.measured."),
    FUNCTION(tally, "tally(a, b, table): adds to fine_windows._table."),
    FUNCTION(cost, "cost(reach, still, cost): what fine_windows._best_shift minimizes."),
    FUNCTION(structure, "structure(a, b): the fields of features.StructureFeatures."),
    FUNCTION(outside, "outside(grey, box, rectangle): the fields of features.Outside."),
    FUNCTION(colour, "colour(a, b): the fields of features.ColourFeatures."),
    FUNCTION(log_odds, "log_odds(feature, threshold, left, value, row): the sum of the leaves that the trees reach."),
    {NULL, NULL, 0, NULL},
};

static int add_constants(PyObject *module) { return PyModule_AddIntConstant(module, "INTERFACE", 2); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)add_constants}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "The functions of the judge that take most of its time, compiled.", 0, functions,
    slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }
