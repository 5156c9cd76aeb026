/* Writes stages as a safetensors file that pytest-audioparity reads, and reads the inputs that it hands over.
 *
 *     const int64_t shape[] = {1, 80, 412};
 *     const ap_stage stages[] = {{"mel", "F32", mel, shape, 3, "log_spectrum", "BCT"}};
 *     if (ap_write(getenv("AUDIOPARITY_DUMP"), stages, 1)) perror("dump");
 *
 * C99, nothing but the standard library, little-endian machines. Copy it into your project as you like.
 */
#ifndef AUDIOPARITY_DUMP_H
#define AUDIOPARITY_DUMP_H
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;        /* printable UTF-8, each name once */
    const char *dtype;       /* F32, I64, or another name of safetensors that is one letter and its bits: F16, U8 ... */
    const void *data;        /* in C order: copy what has strides first */
    const int64_t *shape;
    int dimensions;          /* 0: a single number */
    const char *kind, *axes; /* NULL: not declared */
} ap_stage;

/* Writes a character as it stands in JSON text inside of JSON text, `depth` deep. */
static inline void ap_char(FILE *file, unsigned char c, int depth) {
    char code[8];
    if (depth == 0) fputc(c, file);
    else if (c == '"' || c == '\\') ap_char(file, '\\', depth - 1), ap_char(file, c, depth - 1);
    else if (c >= 32) ap_char(file, c, depth - 1);
    else for (int i = 0, n = snprintf(code, sizeof code, "\\u%04x", c); i < n; i++) ap_char(file, (unsigned char)code[i], depth - 1);
}

static inline void ap_text(FILE *file, const char *before, const char *text, const char *after, int depth) {
    for (; *before; before++) ap_char(file, (unsigned char)*before, depth);
    for (; *text; text++) ap_char(file, (unsigned char)*text, depth + 1);
    for (; *after; after++) ap_char(file, (unsigned char)*after, depth);
}

static inline int64_t ap_bytes(const ap_stage *stage) {
    int64_t size = atoi(stage->dtype + 1) / 8;
    for (int i = 0; i < stage->dimensions; i++) size *= stage->shape[i];
    return size;
}

/* Writes stages in their order, which is the data flow. Returns 0, or -1 with errno. */
static inline int ap_write(const char *path, const ap_stage *stages, int count) {
    FILE *file = fopen(path, "wb");
    uint64_t length = 0;
    int64_t position = 0;
    if (!file) return -1;
    fwrite(&length, 8, 1, file); /* it is known when the header is there */
    fputs("{\"__metadata__\":{\"audioparity\":\"", file);
    for (int i = 0; i < count; i++) {
        ap_text(file, i ? "},{\"name\":\"" : "{\"format\":1,\"stages\":[{\"name\":\"", stages[i].name, "\"", 1);
        if (stages[i].kind) ap_text(file, ",\"kind\":\"", stages[i].kind, "\"", 1);
        if (stages[i].axes) ap_text(file, ",\"axes\":\"", stages[i].axes, "\"", 1);
    }
    fputs(count ? "}]}\"}" : "{\\\"format\\\":1}\"}", file);
    for (int i = 0; i < count; i++) {
        ap_text(file, ",\"", stages[i].name, "\":{\"dtype\":\"", 0);
        fprintf(file, "%s\",\"shape\":[", stages[i].dtype);
        for (int k = 0; k < stages[i].dimensions; k++) fprintf(file, "%s%" PRId64, k ? "," : "", stages[i].shape[k]);
        fprintf(file, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", position, position + ap_bytes(&stages[i]));
        position += ap_bytes(&stages[i]);
    }
    fputc('}', file);
    while (ftell(file) % 8) fputc(' ', file);
    length = (uint64_t)ftell(file) - 8;
    for (int i = 0; i < count; i++)
        if (ap_bytes(&stages[i])) fwrite(stages[i].data, 1, (size_t)ap_bytes(&stages[i]), file);
    rewind(file);
    fwrite(&length, 8, 1, file);
    int failed = ferror(file);
    return fclose(file) || failed ? -1 : 0;
}

/* Reads one tensor of a file that pytest-audioparity wrote: its bytes, for `free`, and how many; NULL if it is not there.
 * The header of such a file has no spaces, so no JSON parser is needed. */
static inline void *ap_read(const char *path, const char *name, int64_t *bytes) {
    FILE *file = fopen(path, "rb");
    uint64_t length = 0;
    int64_t start = 0, stop = 0;
    char *header = NULL, *found = NULL, *data = NULL, key[1024] = "\"";
    size_t n = 1;
    for (; *name && n < sizeof key - 16; key[n++] = *name++)
        if (*name == '"' || *name == '\\') key[n++] = '\\';
    strcpy(key + n, "\":{\"dtype\":");
    if (file && fread(&length, 8, 1, file) == 1 && (header = calloc(length + 1, 1)) && fread(header, 1, length, file) == length)
        found = strstr(header, key);
    if (found && (found = strstr(found, "\"data_offsets\":["))
        && sscanf(found, "\"data_offsets\":[%" SCNd64 ",%" SCNd64 "]", &start, &stop) == 2 && (data = malloc((size_t)(stop - start) + 1))
        && (fseek(file, (long)(8 + length) + (long)start, SEEK_SET) || fread(data, 1, (size_t)(stop - start), file) != (size_t)(stop - start))) {
        free(data);
        data = NULL;
    }
    if (data) *bytes = stop - start;
    free(header);
    if (file) fclose(file);
    return data;
}
#endif
