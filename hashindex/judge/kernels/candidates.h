/* The definitions are in candidates.py. */

/* Plain borders: candidates.trimmed */

typedef struct {
    const uint8_t *pixels;
    int lines, length, to_line, to_pixel;
} Lines; /* The rows or the columns of a part of a picture. */

static void extent(const Lines *from, int line, int *low, int *high, int *sum)
{
    const uint8_t *pixel = from->pixels + (size_t)line * from->to_line;
    *low = 255;
    *high = *sum = 0;
    for (int k = 0; k < from->length; k++, pixel += from->to_pixel) {
        if (*pixel < *low) *low = *pixel;
        if (*pixel > *high) *high = *pixel;
        *sum += *pixel;
    }
}

/* candidates._plain_ends */
static int plain_lines(const Lines *from, int is_last)
{
    int low, high, sum, line = 0;
    double level = 0;
    for (; line < from->lines; line++) {
        extent(from, is_last ? from->lines - 1 - line : line, &low, &high, &sum);
        double mean = (double)sum / from->length;
        if (line == 0) {
            if (high - low > 40) return 0;
            level = mean;
        }
        if (high > level + 20 || low < level - 20 || fabs(mean - level) > 4) break;
    }
    return line;
}

/* candidates._between_bars; 0 for None. counts: room for the lines. */
static int between_bars(const Lines *from, int *counts, int *top, int *bottom)
{
    int ends[2];
    for (int end = 0; end < 2; end++) {
        int histogram[256] = {0}, seen = 0, low = -1, high = -1, length = from->length;
        const uint8_t *pixel = from->pixels + (end ? (size_t)(from->lines - 1) * from->to_line : 0);
        for (int k = 0; k < length; k++) histogram[pixel[(size_t)k * from->to_pixel]]++;
        for (int level = 0; level < 256; level++) {
            seen += histogram[level];
            if (low < 0 && seen > (length - 1) / 2) low = level;
            if (high < 0 && seen > length / 2) high = level;
        }
        ends[end] = (low + high) / 2;
    }
    if (abs(ends[0] - ends[1]) > 12) return 0;
    int begin = -1, stop = 0;
    for (int line = 0; line < from->lines; line++) {
        const uint8_t *pixel = from->pixels + (size_t)line * from->to_line;
        counts[line] = 0;
        for (int k = 0; k < from->length; k++) counts[line] += abs(pixel[(size_t)k * from->to_pixel] - ends[0]) > 20;
        if (2 * counts[line] > from->length) {
            if (begin < 0) begin = line;
            stop = line + 1;
        }
    }
    if (begin < 0 || least(begin, from->lines - stop) < 0.1 * from->lines || stop - begin < 0.2 * from->lines) return 0;
    double inside = 0, outside = 0;
    int worst = 0;
    for (int line = 0; line < from->lines; line++) {
        if (line >= begin && line < stop) inside += counts[line];
        else outside += counts[line], worst = most(worst, counts[line]);
    }
    double length = from->length;
    if (!(outside / ((from->lines - (stop - begin)) * length) < 0.03 && worst / length < 0.3)) return 0;
    if (!(inside / ((stop - begin) * length) > 0.75)) return 0;
    *top = begin;
    *bottom = stop;
    return 1;
}

static void trim(const uint8_t *grey, int height, int width, int *box, int *counts)
{
    int left = 0, top = 0, right = width, bottom = height;
    for (int pass = 0; pass < 2; pass++) {
        int before[4] = {left, top, right, bottom};
        Lines rows = {grey + (size_t)top * width + left, bottom - top, right - left, width, 1};
        int first = plain_lines(&rows, 0), last = plain_lines(&rows, 1);
        top = most(top, least(top + first, (int)(height * 0.45)));
        bottom = least(bottom, most(bottom - last, (int)(height * 0.55)));
        Lines columns = {grey + (size_t)top * width + left, right - left, bottom - top, 1, width};
        first = plain_lines(&columns, 0), last = plain_lines(&columns, 1);
        left = most(left, least(left + first, (int)(width * 0.45)));
        right = least(right, most(right - last, (int)(width * 0.55)));
        if (left == before[0] && top == before[1] && right == before[2] && bottom == before[3]) break;
    }
    box[0] = left, box[1] = top, box[2] = right, box[3] = bottom;
    if (right - left < width / 8.0 || bottom - top < height / 8.0) {
        box[0] = box[1] = 0, box[2] = width, box[3] = height;
        return;
    }
    if (bottom - top > 0.6 * height && right - left > 0.6 * width) {
        Lines rows = {grey, height, width, width, 1}, columns = {grey, width, height, 1, width};
        if (!between_bars(&rows, counts, &box[1], &box[3])) between_bars(&columns, counts, &box[0], &box[2]);
    }
}

static PyObject *py_trim(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Array grey;
    if (!takes(count, 1) || !take(&grey, given[0], "grey", 'B', 2, 0)) return NULL;
    if (least(grey.shape[0], grey.shape[1]) < 8) return unfit(&grey, 1, "A side of grey is shorter than 8 pixels.");
    int box[4];
    int *counts = malloc(sizeof(int) * (size_t)most(grey.shape[0], grey.shape[1]));
    if (counts) {
        Py_BEGIN_ALLOW_THREADS
        trim(grey.data, grey.shape[0], grey.shape[1], box, counts);
        Py_END_ALLOW_THREADS
    }
    give_back(&grey, 1);
    if (!counts) return PyErr_NoMemory();
    free(counts);
    return Py_BuildValue("(iiii)", box[0], box[1], box[2], box[3]);
}
