/* The routines themselves, for ctypes and cffi. */
#include <stddef.h>
#include <stdint.h>

int64_t add(int64_t a, int64_t b) { return a + b; }
double mean(double a, double b) { return (a + b) * 0.5; }
uint64_t first(const unsigned char *data, size_t length)
{
    (void)length;
    return data[0];
}
