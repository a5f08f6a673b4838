/* Registration; the definition is registration._optimized. */

typedef struct {
    const float *picture; /* a */
    int rows, columns;
    const float *values, *across, *down; /* the template, from b */
    const double *inverse;
    int height, width, every_other, count;
    double power;
} Registration;

/* registration._moved_back; 0 for None. */
static int moved_back(const double *map, const double *change, double *to)
{
    double a = 1 + change[0], b = change[1], c = change[2], d = change[3], e = 1 + change[4], f = change[5];
    if (fabs(a * e - b * d) < 0.5) return 0;
    double area = a * e - b * d, ia = e / area, ib = -b / area, id = -d / area, ie = a / area;
    double ic = -(ia * c + ib * f), jf = -(id * c + ie * f);
    to[0] = map[0] * ia + map[1] * id;
    to[1] = map[0] * ib + map[1] * ie;
    to[2] = map[0] * ic + map[1] * jf + map[2];
    to[3] = map[3] * ia + map[4] * id;
    to[4] = map[3] * ib + map[4] * ie;
    to[5] = map[3] * ic + map[4] * jf + map[5];
    return 1;
}

/* registration._is_plausible */
static int is_plausible(const double *map, const double *start)
{
    double scale = sqrt(fabs((map[0] * map[4] - map[1] * map[3]) / (start[0] * start[4] - start[1] * start[3])));
    return 0.75 < scale && scale < 1.33 && most_d(fabs(map[2] - start[2]), fabs(map[5] - start[5])) < 0.35;
}

/* Samples picture a at the pixels of a row of the template. */
FAST static void sample(const float *picture, int rows, int columns, const float *x, float y, int count,
                        const float *into, float *values, uint8_t *inside)
{
    float last_x = (float)(columns - 1.001), last_y = (float)(rows - 1.001);
    float edge_x = (float)(columns - 0.5), edge_y = (float)(rows - 0.5);
    float to_x = into[1] * y, to_y = into[4] * y;
    for (int k = 0; k < count; k++) {
        float px = into[0] * x[k] + to_x + into[2], py = into[3] * x[k] + to_y + into[5];
        inside[k] = (px >= -0.5f) & (px <= edge_x) & (py >= -0.5f) & (py <= edge_y);
        px = px > 0 ? px : 0; /* also for a number that is no number */
        py = py > 0 ? py : 0;
        px = px < last_x ? px : last_x;
        py = py < last_y ? py : last_y;
        int column = (int)px, row = (int)py;
        px -= (float)column;
        py -= (float)row;
        const float *four = picture + (size_t)row * columns + column;
        float right = four[1] - four[0], below = four[columns] - four[0];
        float mixed = (four[columns + 1] - four[columns]) - right;
        values[k] = (right * px + four[0]) + (mixed * px + below) * py;
    }
}

/* Adds the products of an error and the change of each pixel with each number of the map. */
FAST static void project(const float *error, const float *across, const float *down, const float *x, float y, int count,
                         double *sums)
{
    double lanes[4][LANES] = {{0}};
    int k = 0;
    for (; k + LANES <= count; k += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            double ex = (double)across[k + lane] * error[k + lane], ey = (double)down[k + lane] * error[k + lane];
            lanes[0][lane] += ex * x[k + lane];
            lanes[1][lane] += ex;
            lanes[2][lane] += ey * x[k + lane];
            lanes[3][lane] += ey;
        }
    for (; k < count; k++) {
        double ex = (double)across[k] * error[k], ey = (double)down[k] * error[k];
        lanes[0][0] += ex * x[k];
        lanes[1][0] += ex;
        lanes[2][0] += ey * x[k];
        lanes[3][0] += ey;
    }
    double ex = added(lanes[1]), ey = added(lanes[3]);
    sums[0] += added(lanes[0]);
    sums[1] += y * ex;
    sums[2] += ex;
    sums[3] += added(lanes[2]);
    sums[4] += y * ey;
    sums[5] += ey;
}

/* The six numbers of a map in pixels of a picture, as planes.Surface.pixels rounds them. */
static void in_pixels(const double *map, int rows, int columns, float *into)
{
    double wide = columns / 2.0, high = rows / 2.0;
    into[0] = (float)(map[0] * wide);
    into[1] = (float)(map[1] * wide);
    into[2] = (float)((map[2] + 1) * wide - 0.5);
    into[3] = (float)(map[3] * high);
    into[4] = (float)(map[4] * high);
    into[5] = (float)((map[5] + 1) * high - 0.5);
}

/* The best map and its correlation. 0 if there is no memory. */
static int optimize(const Registration *r, const double *start, int steps, double *best, double *agreement)
{
    int count = r->count, step_x = r->every_other ? 2 : 1;
    float *memory = malloc(sizeof(float) * ((size_t)2 * count + (size_t)2 * r->width + 4));
    uint8_t *inside = malloc((size_t)count);
    if (!memory || !inside) {
        free(memory);
        free(inside);
        return 0;
    }
    float *moved = memory, *still = moved + count, *places[2] = {still + count, still + count + r->width};
    for (int shift = 0; shift < step_x; shift++)
        for (int k = 0; shift + k * step_x < r->width; k++) places[shift][k] = centre(shift + k * step_x, r->width);
    double current[6];
    memcpy(current, start, sizeof current);
    memcpy(best, start, sizeof current);
    *agreement = -2.0;
    for (int step = 0; step <= steps; step++) {
        float into[6];
        in_pixels(current, r->rows, r->columns, into);
        double reach_x = fabs(current[0]) + fabs(current[1]), reach_y = fabs(current[3]) + fabs(current[4]);
        int is_all = fabs(current[2]) + reach_x < 1 + 1.0 / r->columns &&
                     fabs(current[5]) + reach_y < 1 + 1.0 / r->rows;
        int n = 0;
        for (int i = 0; i < r->height; i++) {
            int shift = r->every_other ? i & 1 : 0, across = (r->width - shift + step_x - 1) / step_x;
            sample(r->picture, r->rows, r->columns, places[shift], centre(i, r->height), across, into, moved + n,
                   inside + n);
            n += across;
        }
        int seen = count;
        const float *own_values = r->values;
        double sum = 0, own = r->power;
        if (is_all) {
            sum = sum_of(moved, count);
        } else {
            double own_sum = 0;
            seen = 0;
            for (int k = 0; k < count; k++)
                if (inside[k]) sum += moved[k], own_sum += r->values[k], seen++;
            if (seen < 0.2 * count) break;
            float mean = (float)(own_sum / seen);
            for (int k = 0; k < count; k++) still[k] = inside[k] ? r->values[k] - mean : 0;
            own = dot(still, still, count);
            own_values = still;
        }
        float mean = (float)(sum / seen);
        for (int k = 0; k < count; k++) moved[k] = is_all || inside[k] ? moved[k] - mean : 0;
        double power = dot(moved, moved, count), cross = dot(moved, own_values, count);
        double together = cross / most_d(sqrt(power * own), 16.0 * sqrt(seen));
        if (power < seen && own < seen) together = most_d(together, 0.9);
        double gained = together - *agreement;
        if (gained > 0) {
            memcpy(best, current, sizeof current);
            *agreement = together;
        }
        if (step == steps || gained < 0.0005 || together < 0.2) break;
        float scale = (float)least_d(most_d(sqrt(own / most_d(power, 1e-3)), 0.2), 5.0);
        for (int k = 0; k < count; k++) moved[k] = moved[k] * scale - own_values[k];
        double sums[6] = {0}, change[6], following[6];
        n = 0;
        for (int i = 0; i < r->height; i++) {
            int shift = r->every_other ? i & 1 : 0, across = (r->width - shift + step_x - 1) / step_x;
            project(moved + n, r->across + n, r->down + n, places[shift], centre(i, r->height), across, sums);
            n += across;
        }
        for (int p = 0; p < 6; p++) {
            change[p] = 0;
            for (int q = 0; q < 6; q++) change[p] += r->inverse[p * 6 + q] * sums[q];
        }
        if (!moved_back(current, change, following) || !is_plausible(following, start)) break;
        memcpy(current, following, sizeof current);
    }
    free(memory);
    free(inside);
    return 1;
}

static PyObject *py_optimize(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array arrays[4];
    double shape[3], start[6], best[6], agreement = 0;
    if (!takes(count, 8) || !numbers(given[4], shape, 3, "shape") || !numbers(given[6], start, 6, "start")) return NULL;
    double power = PyFloat_AsDouble(given[5]);
    if (power == -1.0 && PyErr_Occurred()) return NULL;
    long steps = PyLong_AsLong(given[7]);
    if (steps == -1 && PyErr_Occurred()) return NULL;
    if (!take(&arrays[0], given[0], "picture", 'f', 2, 0)) return NULL;
    if (!take(&arrays[1], given[1], "values", 'f', 1, 0)) return give_back(arrays, 1), NULL;
    if (!take(&arrays[2], given[2], "gradients", 'f', 2, 0)) return give_back(arrays, 2), NULL;
    if (!take(&arrays[3], given[3], "inverse", 'd', 2, 0)) return give_back(arrays, 3), NULL;
    if (!(shape[0] >= 2 && shape[1] >= 2 && shape[0] * shape[1] <= MOST))
        return unfit(arrays, 4, "A side of the template is shorter than 2 pixels or too long.");
    int n = arrays[1].shape[0];
    Registration registration = {arrays[0].data, arrays[0].shape[0], arrays[0].shape[1], arrays[1].data,
                                 arrays[2].data, (const float *)arrays[2].data + n, arrays[3].data, (int)shape[0],
                                 (int)shape[1], shape[2] != 0, n, power};
    if (least(registration.rows, registration.columns) < 2)
        return unfit(arrays, 4, "A side of the picture is shorter than 2 pixels.");
    if (n != pixels_of(registration.height, registration.width, registration.every_other) || arrays[2].shape[0] != 2 ||
        arrays[2].shape[1] != n || arrays[3].shape[0] != 6 || arrays[3].shape[1] != 6)
        return unfit(arrays, 4, "The arrays of the template do not fit its shape.");
    int is_done;
    Py_BEGIN_ALLOW_THREADS
    is_done = optimize(&registration, start, (int)least_d(most_d((double)steps, 0), 1000), best, &agreement);
    Py_END_ALLOW_THREADS
    give_back(arrays, 4);
    if (!is_done) return PyErr_NoMemory();
    PyObject *map = tuple_of(best, 6);
    return map ? Py_BuildValue("(N,d)", map, agreement) : NULL;
}
