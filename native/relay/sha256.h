/* SPDX-License-Identifier: Apache-2.0
 *
 * sha256.h: SHA-256 as in FIPS 180-4, for the relay's programs. They need nothing but a C compiler.
 */
#ifndef LABYRINTH_SHA256_H
#define LABYRINTH_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t hash[8];
    uint64_t bytes;
    uint8_t block[64]; /* its first bytes % 64 wait for the rest of the block */
};

void sha256_start(struct sha256 *sum);
void sha256_add(struct sha256 *sum, const void *data, size_t bytes);
void sha256_end(struct sha256 *sum, uint8_t out[32]);

#endif
