#ifndef NIBBLE_PROCESSING_REAL_H
#define NIBBLE_PROCESSING_REAL_H
#ifdef __cplusplus
extern "C" {
#endif

/* Functions of reals whose bits are the same on every machine: sums, products, quotients and square roots of doubles,
 * each rounded once (compile with -ffp-contract=off). A libm may round otherwise from one CPU to the next. Errors stay
 * below 5 units in the last place; NaN gives NaN. */

double nibble_exp(double x); /* 0 below -708, infinity above 709.7 */
double nibble_log(double x); /* natural; minus infinity of 0, NaN below it */
double nibble_logistic(double x);
double nibble_tanh(double x); /* relative error below 1e-13 */
double nibble_atan2(double y, double x);
double nibble_asin(double x); /* of [-1, 1] */
/* Of p / q turns, q > 0: cos(2 pi p / q) and sin(2 pi p / q). */
double nibble_cos_turns(long p, long q);
double nibble_sin_turns(long p, long q);

#ifdef __cplusplus
}
#endif
#endif
