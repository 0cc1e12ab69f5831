/* What SIMDe lacks of the instructions that the sets use; x86.h includes it where they are emulated. */
#include <string.h>

/* ---- 512 bits, by halves ---- */

static inline simde__m512i nibble_two_halves(simde__m256i low, simde__m256i high) {
  return simde_mm512_inserti64x4(simde_mm512_castsi256_si512(low), high, 1);
}
static inline simde__m512i nibble_widened(simde__m128i bytes, int is_signed) {
  const simde__m128i high = simde_mm_srli_si128(bytes, 8);
  return is_signed ? nibble_two_halves(simde_mm256_cvtepi8_epi32(bytes), simde_mm256_cvtepi8_epi32(high))
                   : nibble_two_halves(simde_mm256_cvtepu8_epi32(bytes), simde_mm256_cvtepu8_epi32(high));
}
static inline simde__m512 nibble_reals(simde__m512i v) {
  const simde__m256 low = simde_mm256_cvtepi32_ps(simde_mm512_castsi512_si256(v));
  const simde__m256 high = simde_mm256_cvtepi32_ps(simde_mm512_extracti64x4_epi64(v, 1));
  return simde_mm512_castsi512_ps(nibble_two_halves(simde_mm256_castps_si256(low), simde_mm256_castps_si256(high)));
}
static inline simde__m512i nibble_integers(simde__m512 v) {
  const simde__m512i all = simde_mm512_castps_si512(v);
  const simde__m256 low = simde_mm256_castsi256_ps(simde_mm512_castsi512_si256(all));
  const simde__m256 high = simde_mm256_castsi256_ps(simde_mm512_extracti64x4_epi64(all, 1));
  return nibble_two_halves(simde_mm256_cvtps_epi32(low), simde_mm256_cvtps_epi32(high));
}
static inline simde__m512i nibble_upper(simde__m512i odd, simde__m512i even) { /* the upper words of both */
  const simde__m512i down = simde_mm512_srli_epi64(even, 32), mask = simde_mm512_set1_epi64(0xffffffff);
  return simde_mm512_or_si512(simde_mm512_and_si512(down, mask), simde_mm512_andnot_si512(mask, odd));
}
static inline simde__m512i nibble_shifted(simde__m512i v, simde__m512i bits) {
  return nibble_two_halves(
      simde_mm256_srav_epi32(simde_mm512_castsi512_si256(v), simde_mm512_castsi512_si256(bits)),
      simde_mm256_srav_epi32(simde_mm512_extracti64x4_epi64(v, 1), simde_mm512_extracti64x4_epi64(bits, 1)));
}
/* Of these shuffles the odd words to both places is the one that is used. */
#define _mm512_shuffle_epi32(v, order) nibble_upper(v, v)
#define _mm512_mask_shuffle_epi32(odd, mask, even, order) nibble_upper(odd, even)
#define _mm512_srav_epi32(v, bits) nibble_shifted(v, bits)
#define _mm512_cvtepu8_epi32(bytes) nibble_widened(bytes, 0)
#define _mm512_cvtepi8_epi32(bytes) nibble_widened(bytes, 1)
#define _mm512_cvtepi32_ps(v) nibble_reals(v)
#define _mm512_cvtps_epi32(v) nibble_integers(v)

/* ---- tiles ---- */

static _Thread_local struct { uint8_t rows[8], bytes[8], at[8][16][64]; } nibble_tiles;

static inline void nibble_tile_cut(const void* shape) {
  memset(&nibble_tiles, 0, sizeof nibble_tiles);
  for (int i = 0; i < 8; ++i) {
    nibble_tiles.bytes[i] = ((const uint8_t*)shape)[16 + 2 * i];
    nibble_tiles.rows[i] = ((const uint8_t*)shape)[48 + i];
  }
}
static inline void nibble_tile_load(int i, const void* from, int64_t step) {
  memset(nibble_tiles.at[i], 0, sizeof nibble_tiles.at[i]);
  for (int row = 0; row < nibble_tiles.rows[i]; ++row)
    memcpy(nibble_tiles.at[i][row], (const char*)from + row * step, nibble_tiles.bytes[i]);
}
static inline void nibble_tile_store(int i, void* to, int64_t step) {
  for (int row = 0; row < nibble_tiles.rows[i]; ++row)
    memcpy((char*)to + row * step, nibble_tiles.at[i][row], nibble_tiles.bytes[i]);
}
static inline void nibble_tile_dot(int sum, int x, int w, int is_signed) {
  for (int row = 0; row < nibble_tiles.rows[sum]; ++row)
    for (int quad = 0; quad < nibble_tiles.rows[w]; ++quad)
      for (int column = 0; column < nibble_tiles.bytes[sum] / 4; ++column) {
        uint32_t v;
        memcpy(&v, nibble_tiles.at[sum][row] + 4 * column, 4);
        for (int k = 0; k < 4; ++k) {
          const uint8_t byte = nibble_tiles.at[x][row][4 * quad + k];
          v += (uint32_t)((is_signed ? (int8_t)byte : byte) * (int8_t)nibble_tiles.at[w][quad][4 * column + k]);
        }
        memcpy(nibble_tiles.at[sum][row] + 4 * column, &v, 4);
      }
}
#define _tile_loadconfig(shape) nibble_tile_cut(shape)
#define _tile_release() (void)0
#define _tile_zero(i) memset(nibble_tiles.at[i], 0, sizeof nibble_tiles.at[i])
#define _tile_loadd(i, from, step) nibble_tile_load(i, from, step)
#define _tile_stored(i, to, step) nibble_tile_store(i, to, step)
#define _tile_dpbusd(sum, x, w) nibble_tile_dot(sum, x, w, 0)
#define _tile_dpbssd(sum, x, w) nibble_tile_dot(sum, x, w, 1)
