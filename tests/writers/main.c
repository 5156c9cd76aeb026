#include "dump.h"
#include <limits.h>

/* See test_writers.py. */
int main(int argc, char **argv) {
    (void)argv;
    const char *path = getenv("AUDIOPARITY_DUMP");
    if (argc > 1) {
        const uint32_t bits[] = {0, 0x80000000u, 0x3eaaaaab, 1, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc01234};
        const float single = 0.5f;
        const int64_t codes[] = {INT64_MIN, -1, INT64_MAX};
        const int64_t edges_shape[] = {2, 4}, codes_shape[] = {3}, empty_shape[] = {0, 3};
        const ap_stage stages[] = {
            {"z/single", "F32", &single, NULL, 0, NULL, NULL},
            {"a codes", "I64", codes, codes_shape, 1, "codes", "T"},
            {"quote \" back \\ \xc3\xa9/\xe6\x97\xa5", "F32", bits, edges_shape, 2, "log_spectrum", "CT"},
            {"empty", "F32", NULL, empty_shape, 2, NULL, "TC"},
        };
        return ap_write(path, stages, 4) != 0;
    }
    int64_t bytes = 0, shape[1];
    float *noise = ap_read(getenv("AUDIOPARITY_INPUTS"), "the \\ noise", &bytes);
    if (!noise || ap_read(getenv("AUDIOPARITY_INPUTS"), "absent", &bytes)) return 1;
    shape[0] = bytes / 4;
    for (int64_t i = 0; i < shape[0]; i++) noise[i] *= 2;
    const ap_stage stages[] = {{"mel", "F32", noise, shape, 1, NULL, "T"}};
    return ap_write(path, stages, 1) != 0;
}
