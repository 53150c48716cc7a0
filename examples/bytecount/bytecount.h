#ifndef BYTECOUNT_H
#define BYTECOUNT_H

#include <stddef.h>
#include <stdint.h>

/* How many of the length bytes at data are value. */
size_t count_byte(const uint8_t *data, size_t length, uint8_t value);

/* Add to counts[v] how many of the length bytes at data are v. */
void count_all(const uint8_t *data, size_t length, uint64_t counts[256]);

#endif
