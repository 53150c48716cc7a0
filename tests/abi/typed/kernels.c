/* A routine whose arguments fill every register and go on to the stack. Each
   weighs in with a factor of its own, so that no two can be exchanged. */
#include <stddef.h>
#include <stdint.h>

double mixed(int64_t a, double x, const unsigned char *data, size_t length, int32_t b, float y,
             const uint16_t *items, size_t count, uint64_t c, const char *text, size_t size,
             uint32_t d, int flag, double x2, double x3, double x4, double x5, double x6, double x7,
             double x8, float x9, const char *last)
{
    double sum = a + 2 * x + 4 * data[0] + 8.0 * length + 16.0 * b + 32 * y + 64 * items[1];
    sum += 128.0 * count + 256.0 * c + 512 * text[0] + 1024.0 * size + 2048.0 * d + 4096 * flag;
    sum += 3 * x2 + 5 * x3 + 7 * x4 + 11 * x5 + 13 * x6 + 17 * x7 + 19 * x8 + 23 * x9;
    return sum + 29 * last[1];
}
