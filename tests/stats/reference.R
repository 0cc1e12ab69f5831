#!/usr/bin/env Rscript
# Prints, as JSON, what R says of textbook data and of random data: reference.R > reference.json (the stored values,
# which tests/equal/stats/reference.cpp compares Nibble's with). Base R, nlme and boot.
# A case: the function, its data, what is expected, and how closely ("tolerance", relative; 1e-8 unless R iterates).
suppressPackageStartupMessages({library(nlme); library(boot)})
options(warn = 1, digits = 17, contrasts = c("contr.sum", "contr.sum"))

# JSON -----------------------------------------------------------------------------------------------------------------
text <- function(x) {
  if (is.null(x) || length(x) == 0) return(if (is.list(x)) "{}" else "[]")
  if (is.list(x)) {
    if (is.null(names(x))) return(paste0("[", paste(vapply(x, text, ""), collapse = ","), "]"))
    return(paste0("{", paste0("\"", names(x), "\":", vapply(x, text, ""), collapse = ","), "}"))
  }
  one <- if (is.character(x)) paste0("\"", x, "\"") else if (is.logical(x)) tolower(as.character(x)) else
    ifelse(is.infinite(x), "\"inf\"", sprintf("%.17g", x))
  if (length(one) == 1 && is.null(attr(x, "array"))) one else paste0("[", paste(one, collapse = ","), "]")
}
array_of <- function(x) structure(as.vector(x), array = TRUE)
rows_of <- function(m) lapply(seq_len(nrow(m)), function(i) array_of(m[i, ]))
cases <- character()
case <- function(name, fun, data, expect, tolerance = 1e-8)
  cases[[length(cases) + 1]] <<- text(list(name = name, "function" = fun, tolerance = tolerance, data = data,
                                           expect = expect))

# Paired shares --------------------------------------------------------------------------------------------------------
for (bc in list(c(150, 86), c(121, 59), c(70, 59), c(80, 59), c(30, 60), c(10, 30), c(10, 10), c(60, 45), c(0, 7), c(1, 0),
                c(3, 9), c(5, 5), c(1200, 1300))) {
  m <- matrix(c(1, bc[2], bc[1], 1), 2)
  plain <- mcnemar.test(m, correct = FALSE)
  exact <- binom.test(bc[1], sum(bc))$p.value
  mass <- dbinom(min(bc), sum(bc), .5)
  apart <- abs(bc[1] - bc[2])
  corrected <- max(0, apart - 1)^2 / sum(bc) # R takes the one off even where there is nothing to take it from
  case(paste("McNemar", bc[1], bc[2]), "mcnemar", list(b = bc[1], c = bc[2]),
       list(exact = exact, mid_p = if (apart == 0) 1 - mass / 2 else exact - mass, statistic = unname(plain$statistic),
            p = plain$p.value, corrected = corrected, corrected_p = pchisq(corrected, 1, lower.tail = FALSE)))
}

# The share of "only second" that is likeliest where the difference is d, from the likelihood's slope alone.
tango_z <- function(b, c, n, d) {
  slope <- function(q) b / (q + d) + c / q - 2 * (n - b - c) / (1 - 2 * q - d)
  low <- max(0, -d); high <- (1 - d) / 2
  q <- uniroot(slope, c(low + (high - low) * 1e-13, high - (high - low) * 1e-13), tol = 1e-300, maxiter = 1e5)$root
  (b - c - n * d) / sqrt(n * (2 * q + d * (1 - d)))
}
shares <- function(e, f, g, h, level = .95) {
  n <- e + f + g + h; d <- (f - g) / n; z <- qnorm(1 - (1 - level) / 2)
  se <- sqrt((f + g) - (f - g)^2 / n) / n
  wilson <- function(k) prop.test(k, n, conf.level = level, correct = FALSE)$conf.int
  w1 <- wilson(e + f); w2 <- wilson(e + g); p1 <- (e + f) / n; p2 <- (e + g) / n
  top <- e * h - f * g; if (top > 0) top <- max(0, top - n / 2)
  under <- (e + f) * (g + h) * (e + g) * (f + h)
  phi <- if (under == 0) 0 else top / sqrt(under)
  away <- function(a, b) sqrt(a^2 - 2 * phi * a * b + b^2)
  end <- function(target, a, b) uniroot(function(x) tango_z(f, g, n, x) - target, c(a, b), tol = 1e-300, maxiter = 1e5)$root
  case(paste("paired shares", e, f, g, h, level), "paired_shares", list(table = c(e, f, g, h), level = level),
       list(difference = d, standard_error = se, wald = c(d - z * se, d + z * se),
            newcombe = c(d - away(p1 - w1[1], w2[2] - p2), d + away(w1[2] - p1, p2 - w2[1])),
            tango = c(end(z, -.9, d), end(-z, d, .9)),
            scores = array_of(sapply(c(-.3, -.005, .005, .2), function(x) tango_z(f, g, n, x)))))
}
shares(9135, 60, 45, 760); shares(9135, 60, 45, 760, .9); shares(36, 12, 2, 0); shares(20, 12, 2, 16)
shares(794, 150, 86, 570); shares(12, 3, 9, 6); shares(900, 40, 41, 19, .99)

for (kn in list(c(9195, 10000), c(682, 925), c(1, 9), c(499, 500))) {
  exact <- binom.test(kn[1], kn[2], .75)
  case(paste("share", kn[1], kn[2]), "share", list(k = kn[1], n = kn[2]),
       list(wilson = suppressWarnings(prop.test(kn[1], kn[2], correct = FALSE))$conf.int[1:2], clopper_pearson = exact$conf.int[1:2],
            test = exact$p.value))
}
chi <- prop.test(c(83, 90, 129, 70), c(86, 93, 136, 82))
case("smokers", "equal_proportions", list(k = c(83, 90, 129, 70), n = c(86, 93, 136, 82)),
     list(statistic = unname(chi$statistic), df = 3, p = chi$p.value))
# Cochran's Q is Friedman's test of noughts and ones.
binary <- list(rbind(c(1, 0, 1, 1), c(0, 1, 1, 1), c(1, 1, 1, 0), c(0, 1, 0, 0), c(0, 1, 0, 0), c(1, 0, 1, 0), c(0, 1, 0, 0),
                     c(1, 1, 1, 1), c(0, 1, 0, 0)),
               rbind(c(0, 0, 1, 1, 0), c(0, 1, 0, 1, 0), c(0, 1, 1, 0, 1), c(1, 0, 0, 0, 1), c(1, 1, 0, 0, 0), c(1, 0, 1, 0, 0),
                     c(0, 1, 0, 0, 0), c(0, 0, 1, 1, 0), c(0, 0, 0, 0, 0)))
set.seed(1); binary[[3]] <- matrix(rbinom(600, 1, c(.9, .8, .85)), ncol = 3, byrow = TRUE)
for (i in seq_along(binary)) {
  q <- friedman.test(binary[[i]])
  case(paste("Cochran", i), "cochran_q", list(right = rows_of(t(binary[[i]]))),
       list(statistic = unname(q$statistic), df = unname(q$parameter), p = q$p.value))
}

# Means ----------------------------------------------------------------------------------------------------------------
t_case <- function(name, fun, x, y, alternative = "two.sided", level = .95, ...) {
  t <- t.test(x, y, alternative, conf.level = level, ...)
  both <- t.test(x, y, conf.level = level, ...)
  case(name, fun, list(x = array_of(x), y = array_of(y), alternative = alternative, level = level),
       list(t = unname(t$statistic), df = unname(t$parameter), p = t$p.value, interval = both$conf.int[1:2],
            standard_error = t$stderr))
}
tost_case <- function(name, fun, x, y, low, high, alpha = .05, ...) {
  a <- t.test(x, y, "greater", mu = low, ...); b <- t.test(x, y, "less", mu = high, ...)
  interval <- t.test(x, y, conf.level = 1 - 2 * alpha, ...)$conf.int[1:2]
  case(name, fun, list(x = array_of(x), y = array_of(y), margin = c(low, high), alpha = alpha),
       list(lower = unname(a$statistic), upper = unname(b$statistic), df = unname(a$parameter),
            p = max(a$p.value, b$p.value), interval = interval,
            equivalent = interval[1] >= low && interval[2] <= high))
}
drug1 <- sleep$extra[1:10]; drug2 <- sleep$extra[11:20]
seeds_x <- c(71.42, 71.31, 71.55, 71.38, 71.47); seeds_y <- c(71.36, 71.35, 71.40, 71.33, 71.49)
set.seed(2); a12 <- round(rnorm(12, 90, 1), 3); b12 <- round(a12 + rnorm(12, .2, .4), 3); c9 <- round(rnorm(9, 90.5, 2), 3)
for (alternative in c("two.sided", "less", "greater")) {
  t_case(paste("sleep paired", alternative), "paired_t", drug1, drug2, alternative, paired = TRUE)
  t_case(paste("random paired", alternative), "paired_t", a12, b12, alternative, .9, paired = TRUE)
  t_case(paste("Welch 1:10", alternative), "welch_t", 1:10, 7:20, alternative)
  t_case(paste("Welch random", alternative), "welch_t", a12, c9, alternative, .99)
  t_case(paste("pooled random", alternative), "pooled_t", a12, c9, alternative, var.equal = TRUE)
}
t_case("seeds", "paired_t", seeds_x, seeds_y, level = .9, paired = TRUE)
for (m in c(.1, .2, .3)) tost_case(paste("seeds within", m), "tost_paired", seeds_x, seeds_y, -m, m, paired = TRUE)
tost_case("sleep within 3", "tost_paired", drug1, drug2, -3, 3, paired = TRUE)
tost_case("random within", "tost_paired", a12, b12, -.6, .3, .01, paired = TRUE)
tost_case("Welch within", "tost_welch", a12, c9, -2, 2)
tost_case("pooled within", "tost_pooled", a12, c9, -2, 2.5, .1, var.equal = TRUE)
tost_case("ratio within", "tost_log", log(abs(a12)), log(abs(b12)), log(.99), log(1 / .99), paired = TRUE)

resampled <- function(name, d, train, test) {
  j <- length(d); se <- sqrt(var(d) * (1 / j + test / train)); t <- mean(d) / se
  case(name, "corrected_resampled_t", list(d = array_of(d), train = train, test = test),
       list(t = t, df = j - 1, p = 2 * pt(-abs(t), j - 1), standard_error = se,
            interval = mean(d) + c(-1, 1) * qt(.975, j - 1) * se))
}
a10 <- c(.912, .905, .918, .921, .909, .915, .911, .920, .907, .914)
b10 <- c(.908, .903, .911, .918, .910, .909, .907, .914, .905, .911)
resampled("Nadeau and Bengio, 10 folds", a10 - b10, 9, 1)
set.seed(3); resampled("10 times 5 folds", round(rnorm(50, .01, .02), 5), 800, 200)
p1 <- c(.012, .018, .006, .015, .010); p2 <- c(.008, .011, .014, .009, .005)
s2 <- sum((p1 - p2)^2 / 2)
case("5x2", "five_by_two", list(first = p1, second = p2),
     list(t = p1[1] / sqrt(s2 / 5), t_p = 2 * pt(-p1[1] / sqrt(s2 / 5), 5), f = sum(p1^2 + p2^2) / (2 * s2),
          f_p = pf(sum(p1^2 + p2^2) / (2 * s2), 10, 5, lower.tail = FALSE)))

# Ranks and signs ------------------------------------------------------------------------------------------------------
all_signs <- function(n) as.matrix(expand.grid(rep(list(c(0, 1)), n)))
exact_ranks <- function(ranks, v, alternative) { # by counting every sign
  sums <- as.vector(all_signs(length(ranks)) %*% ranks)
  lower <- mean(sums <= v + 1e-9); upper <- mean(sums >= v - 1e-9)
  switch(alternative, less = lower, greater = upper, two.sided = min(1, 2 * min(lower, upper)))
}
rank_case <- function(name, x, y, alternative, zeros) {
  d <- round(x - y, 9); r <- if (zeros == "drop") d[d != 0] else d
  ranks <- rank(abs(r))[r != 0]; v <- sum(ranks[r[r != 0] > 0])
  z <- v - sum(ranks) / 2; s <- sqrt(sum(ranks^2)) / 2
  lower <- pnorm((z + .5) / s); upper <- pnorm((z - .5) / s, lower.tail = FALSE)
  normal <- switch(alternative, less = lower, greater = upper, two.sided = min(1, 2 * min(lower, upper)))
  if (zeros == "drop") { # R's own, wherever it has one
    w <- wilcox.test(r, alternative = alternative, exact = FALSE)
    stopifnot(abs(w$p.value - normal) < 1e-12, w$statistic == v)
  }
  ties <- length(unique(ranks)) < length(ranks)
  exact <- if (zeros == "drop" && !ties) wilcox.test(r, alternative = alternative, exact = TRUE)$p.value else
    exact_ranks(ranks, v, alternative)
  case(paste(name, alternative, zeros), "signed_rank",
       list(x = array_of(x), y = array_of(y), alternative = alternative, zeros = zeros),
       list(v = v, used = length(ranks), exact = exact, normal = normal))
}
depression_x <- c(1.83, .50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
depression_y <- c(.878, .647, .598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
demsar <- rbind(c(.763, .768, .771, .798), c(.599, .591, .590, .569), c(.954, .971, .968, .967), c(.628, .661, .654, .657),
                c(.882, .888, .886, .898), c(.936, .931, .916, .931), c(.661, .668, .609, .685), c(.583, .583, .563, .625),
                c(.775, .838, .866, .875), c(1, 1, 1, 1), c(.940, .962, .965, .962), c(.619, .666, .614, .669),
                c(.972, .981, .975, .975), c(.957, .978, .946, .970))
set.seed(4); coarse_x <- round(rnorm(14, .2), 1); coarse_y <- round(rnorm(14), 1); coarse_y[3] <- coarse_x[3]
for (alternative in c("two.sided", "less", "greater")) for (zeros in c("drop", "pratt")) {
  rank_case("depression", depression_x, depression_y, alternative, zeros)
  rank_case("Demsar 1 2", demsar[, 1], demsar[, 2], alternative, zeros)
  rank_case("coarse", coarse_x, coarse_y, alternative, zeros)
}
rank_case("thirty", c(a12, c9, c9) , c(b12, c9 + seq(-1, 1.1, length.out = 9), c9 - 1:9 / 8 + 1 / 3), "two.sided", "drop")
permutation_case <- function(name, x, y, alternative) {
  d <- x - y; sums <- as.vector((2 * all_signs(length(d)) - 1) %*% d); seen <- sum(d)
  p <- switch(alternative, two.sided = mean(abs(sums) >= abs(seen) - 1e-9), greater = mean(sums >= seen - 1e-9),
              less = mean(sums <= seen + 1e-9))
  case(paste(name, alternative), "permutation", list(x = array_of(x), y = array_of(y), alternative = alternative),
       list(estimate = mean(d), p = p))
}
for (alternative in c("two.sided", "less", "greater")) {
  permutation_case("sleep signs", drug1, drug2, alternative)
  permutation_case("coarse signs", coarse_x, coarse_y, alternative)
  permutation_case("one pair of signs", 2, 1, alternative)
}

# Bootstrap: the interval from resamples that R drew -------------------------------------------------------------------
bca_case <- function(name, x, statistic, count, level) {
  b <- boot(x, function(d, i) statistic(d[i]), count)
  stopifnot(!any(b$t == b$t0))
  jack <- sapply(seq_along(x), function(i) statistic(x[-i]))
  bca <- boot.ci(b, level, "bca", L = mean(jack) - jack)$bca[4:5] # Efron's: about their mean
  case(name, "bca", list(estimate = b$t0, resampled = as.vector(b$t), jackknife = jack, level = level),
       list(bca = bca, percentile = boot.ci(b, level, "perc")$percent[4:5]))
}
set.seed(5); bca_case("BCa mean of skewed", round(rexp(25), 4), mean, 999, .95)
bca_case("BCa standard deviation", round(rnorm(20), 4), sd, 499, .9)

# Many methods on many data sets ---------------------------------------------------------------------------------------
block_case <- function(name, m) {
  f <- friedman.test(m); q <- quade.test(m); n <- nrow(m); k <- ncol(m)
  ranks <- colMeans(t(apply(m, 1, rank)))
  x <- 12 * n / (k * (k + 1)) * (sum(ranks^2) - k * (k + 1)^2 / 4)
  ff <- (n - 1) * x / (n * (k - 1) - x)
  se <- sqrt(k * (k + 1) / (6 * n)); pairs <- combn(k, 2)
  nemenyi <- ptukey(sqrt(2) * abs(ranks[pairs[1, ]] - ranks[pairs[2, ]]) / se, k, Inf, lower.tail = FALSE)
  control <- p.adjust(2 * pnorm(-abs(ranks[-1] - ranks[1]) / se), "holm")
  case(name, "blocks", list(values = rows_of(m)),
       list(ranks = ranks, corrected = unname(f$statistic), corrected_p = f$p.value, uncorrected = x, f = ff,
            f_p = pf(ff, k - 1, (k - 1) * (n - 1), lower.tail = FALSE), nemenyi = array_of(nemenyi),
            control = array_of(control), quade = unname(q$statistic), quade_p = q$p.value))
}
block_case("Demsar", demsar); demsar[13, 3] <- .97501; block_case("Demsar as in the paper", demsar)
block_case("Quade", rbind(c(5, 4, 7, 10, 12), c(1, 3, 1, 0, 2), c(16, 12, 22, 22, 35), c(5, 4, 3, 5, 4),
                          c(10, 9, 7, 13, 10), c(19, 18, 28, 37, 58), c(10, 7, 6, 8, 7)))
set.seed(6); block_case("random blocks", matrix(round(rnorm(60) + rep(c(0, .4, .9), each = 20), 1), 20))
block_case("two methods", matrix(c(1, 4, 3, 2, 5, 2, 3, 3, 4, 6, 1, 1), ncol = 2))

# Studentised range, and other distributions as the power analyses use them --------------------------------------------
# ptukey of infinite df is one integral, and good; of few df it is not (qtukey(.95, 2, 2) is sqrt(2) qt(.975, 2)): the
# second integral is done here, and ptukey must agree with it from 5 on.
range_upper <- function(q, k, df) {
  if (is.infinite(df)) return(ptukey(q, k, Inf, lower.tail = FALSE))
  inside <- function(s) ptukey(q * s, k, Inf, lower.tail = FALSE) * 2 * s * df * dchisq(s^2 * df, df)
  pieces <- seq(max(0, 1 - 15 / sqrt(2 * df)), 1 + 15 / sqrt(2 * df), length.out = 31)
  sum(sapply(1:30, function(i) integrate(inside, pieces[i], pieces[i + 1], rel.tol = 1e-11, abs.tol = 1e-13)$value))
}
stopifnot(abs(range_upper(6, 2, 2) / (2 * pt(-6 / sqrt(2), 2)) - 1) < 1e-10)
for (df in c(1, 2, 5, 12, 60, Inf)) for (k in c(2, 3, 5, 10)) {
  q <- c(.5, 1, 2, 3, 4, 5); upper <- sapply(q, range_upper, k, df)
  if (df >= 5) stopifnot(max(abs(ptukey(q, k, df, lower.tail = FALSE) - upper)) < 1e-7)
  case(paste("range of", k, df), "range", list(q = q, groups = k, df = df), list(upper = upper), 1e-8)
}
for (df in c(2, 5, 60, Inf)) for (k in c(2, 3, 10))
  case(paste("quantile of range of", k, df), "range_quantile", list(upper = .05, groups = k, df = df),
       list(q = if (k == 2) sqrt(2) * qt(.975, df) else uniroot(function(x) range_upper(x, k, df) - .05, c(1, 40), tol = 1e-13)$root),
       1e-7)

# Adjusted p-values ----------------------------------------------------------------------------------------------------
set.seed(7)
for (p in list(c(.838541367553, .642193923795, .680845947633, .967833824309, .71626938238, .177096952723, 5.23656777208e-05,
                 .0202732688798, .00028140506198, .0149877310796),
               c(.001, .008, .039, .041, .042, .06, .074, .205, .212, .216), round(runif(30)^3, 6), c(0, 1, .5, .5), .03))
  case(paste("adjusted", length(p)), "adjusted", list(p = array_of(p)),
       lapply(c(holm = "holm", hochberg = "hochberg", bonferroni = "bonferroni", bh = "BH", by = "BY"),
              function(m) array_of(p.adjust(p, m))))

# Effect sizes ---------------------------------------------------------------------------------------------------------
pooled <- function(x, y) sqrt(((length(x) - 1) * var(x) + (length(y) - 1) * var(y)) / (length(x) + length(y) - 2))
m <- length(a12) + length(c9) - 2
case("effects", "effects", list(x = a12, y = c9, paired = b12, p1 = .92, p2 = .905),
     list(d = (mean(a12) - mean(c9)) / pooled(a12, c9),
          g = (mean(a12) - mean(c9)) / pooled(a12, c9) * gamma(m / 2) / (sqrt(m / 2) * gamma((m - 1) / 2)),
          paired = mean(a12 - b12) / sd(a12 - b12), h = 2 * asin(sqrt(.92)) - 2 * asin(sqrt(.905))))

# Power ----------------------------------------------------------------------------------------------------------------
for (type in c("two.sample", "paired")) for (side in c("two.sided", "one.sided")) for (n in c(3, 5, 20)) for (d in c(.2, 1, 2))
  case(paste("t power", type, side, n, d), "t_power",
       list(n = n, effect = d, alpha = .05, type = type, sides = side),
       list(power = power.t.test(n, d, type = type, alternative = side, strict = TRUE)$power))
for (type in c("two.sample", "paired")) for (side in c("two.sided", "one.sided"))
  case(paste("t size", type, side), "t_size", list(power = .9, effect = .7, alpha = .05, type = type, sides = side),
       list(n = power.t.test(NULL, .7, power = .9, type = type, alternative = side, strict = TRUE, tol = 1e-12)$n), 1e-6)
case("proportion power", "shares_power", list(n = 50, p1 = .5, p2 = .75, power = .9),
     list(power = power.prop.test(50, .5, .75, strict = TRUE)$power,
          n = power.prop.test(NULL, .5, .75, power = .9, strict = TRUE, tol = 1e-12)$n), 1e-6)
anova_n <- function(k, between, within, power)
  uniroot(function(n) power.anova.test(k, n, between, within)$power - power, c(2, 1e3), tol = 1e-12)$root
case("anova power", "anova_power", list(groups = 4, n = 5, between = 1, within = 3, power = .8),
     list(power = power.anova.test(4, 5, 1, 3)$power, n = anova_n(4, 1, 3, .8)), 1e-6)
case("anova power of means", "anova_power",
     list(groups = 4, n = 8, between = var(c(120, 130, 140, 150)), within = 500, power = .9),
     list(power = power.anova.test(4, 8, var(c(120, 130, 140, 150)), 500)$power,
          n = anova_n(4, var(c(120, 130, 140, 150)), 500, .9)), 1e-6)
tost_power <- function(n, d, low, high, alpha) { # over the estimated deviation; its density from chi squared's
  t <- qt(1 - alpha, n - 1)
  inside <- function(s) pmax(0, pnorm((high - d) * sqrt(n) - t * s) - pnorm((low - d) * sqrt(n) + t * s)) *
    2 * s * (n - 1) * dchisq(s^2 * (n - 1), n - 1)
  most <- (high - low) * sqrt(n) / (2 * t)
  pieces <- seq(0, min(most, 1 + 15 / sqrt(2 * (n - 1))), length.out = 41)
  sum(sapply(1:40, function(i) integrate(inside, pieces[i], pieces[i + 1], rel.tol = 1e-12)$value))
}
for (n in c(3, 5, 10, 40)) for (d in c(0, .3))
  case(paste("TOST power", n, d), "tost_power", list(n = n, difference = d, margin = c(-1, 1.2), alpha = .05),
       list(power = tost_power(n, d, -1, 1.2, .05)))
connor <- function(psi, d, power, alpha) (qnorm(1 - alpha / 2) * sqrt(psi) + qnorm(power) * sqrt(psi - d^2))^2 / d^2
for (pd in list(c(.05, .01), c(.025, .005), c(.025, .003), c(.1, .005), c(.4, .2))) for (power in c(.8, .9))
  case(paste("examples", pd[1], pd[2], power), "examples", list(disagreement = pd[1], difference = pd[2], power = power),
       list(mcnemar = connor(pd[1], pd[2], power, .05),
            tost = (qnorm(.95) + qnorm(1 - (1 - power) / 2))^2 * pd[1] / pd[2]^2))
low <- qbinom(.05, 500, .5, lower.tail = FALSE) + 1; high <- qbinom(.05, 500, .7) - 1
case("binomial TOST", "share_tost", list(n = 500, margin = c(.5, .7), p = seq(.6, .69, .01)),
     list(counts = c(low, high), power = pbinom(high, 500, seq(.6, .69, .01)) - pbinom(low - 1, 500, seq(.6, .69, .01))))

# Designs --------------------------------------------------------------------------------------------------------------
frame_of <- function(data, factors) lapply(data[factors], function(f) array_of(as.character(f)))
terms_of <- function(formula) attr(terms(formula), "term.labels")
sums_of_squares <- function(formula, data, type) {
  labels <- terms_of(formula); inside <- strsplit(labels, ":")
  fit <- lm(formula, data); x <- model.matrix(fit); y <- model.response(model.frame(fit)); at <- attr(x, "assign")
  rss <- function(keep) { f <- lm.fit(x[, at == 0 | at %in% keep, drop = FALSE], y); c(sum(f$residuals^2), f$rank) }
  all <- seq_along(labels)
  lapply(all, function(t) {
    beside <- switch(type, sequential = all[all < t], marginal = all[all != t],
                     hierarchical = all[!sapply(inside, function(o) all(inside[[t]] %in% o))])
    a <- rss(beside); b <- rss(c(beside, t)); c(a[1] - b[1], b[2] - a[2])
  })
}
anova_case <- function(name, formula, data, types) for (type in types) {
  data <- droplevels(data); fit <- lm(formula, data); y <- model.response(model.frame(fit))
  s <- sums_of_squares(formula, data, type)
  if (type == "sequential") { # R's own table
    own <- anova(fit); own <- own[-nrow(own), ]; mine <- s[sapply(s, `[`, 2) > 0]
    stopifnot(max(abs(own[, 2] / sapply(mine, `[`, 1) - 1)) < 1e-7)
  }
  if (type == "marginal") {
    own <- drop1(fit, . ~ ., test = "F")[-1, ]
    stopifnot(max(abs(own[, 2] / sapply(s, `[`, 1) - 1)) < 1e-7)
  }
  error <- sum(residuals(fit)^2); df <- fit$df.residual; total <- sum((y - mean(y))^2); mse <- error / df
  rows <- lapply(s, function(r) {
    ss <- r[1]; d <- r[2]
    if (d == 0) return(list(sum_of_squares = 0, df = 0, f = 0, p = 1))
    f <- ss / d / mse
    list(sum_of_squares = ss, df = d, f = f, p = pf(f, d, df, lower.tail = FALSE), eta_squared = ss / total,
         partial_eta_squared = ss / (ss + error), omega_squared = (ss - d * mse) / (total + mse),
         partial_omega_squared = d * (ss / d - mse) / (ss + (length(y) - d) * mse))
  })
  case(paste(name, type), "anova",
       list(factors = frame_of(data, all.vars(formula)[-1]), terms = array_of(terms_of(formula)), outcomes = y, type = type),
       list(rows = rows, residual = error, df = df))
}
three <- c("sequential", "hierarchical", "marginal")
anova_case("warpbreaks", breaks ~ wool * tension, warpbreaks, three)
anova_case("npk", yield ~ block + N * P * K, npk, c("sequential", "hierarchical"))
anova_case("npk without interaction of all", yield ~ block + (N + P + K)^2, npk, three)
anova_case("warpbreaks unbalanced", breaks ~ wool * tension, warpbreaks[-c(1, 2, 3, 12, 30, 31, 50), ], three)
anova_case("ToothGrowth unbalanced", len ~ supp * dose, transform(ToothGrowth, dose = factor(dose))[-c(1:4, 17, 33, 60), ], three)
set.seed(8)
study <- expand.grid(bits = c("8", "6", "4"), calibrator = c("max", "mse"), algorithm = c("PACT", "LSQ"), seed = 1:4)
study$accuracy <- round(90 - 1.5 * (study$bits == "4") + .3 * (study$algorithm == "LSQ") * (study$bits == "4") +
                        rnorm(4, 0, .3)[study$seed] + rnorm(nrow(study), 0, .4), 3)
study$seed <- factor(study$seed); lost <- study[-c(1, 7, 8, 20, 33, 40, 41), ]
anova_case("study", accuracy ~ bits * calibrator * algorithm, study, three)
anova_case("study with blocks", accuracy ~ seed + bits * calibrator * algorithm, study, three)
anova_case("study unbalanced", accuracy ~ bits * calibrator * algorithm, lost, three)
anova_case("study unbalanced with blocks", accuracy ~ seed + bits * algorithm, lost, three)
anova_case("study with an empty cell", accuracy ~ bits * algorithm, study[!(study$bits == "4" & study$algorithm == "LSQ"), ],
           c("sequential", "hierarchical"))

tukey_case <- function(name, formula, data, which, own) {
  data <- droplevels(data); fit <- lm(formula, data); b <- coef(fit); v <- vcov(fit); df <- fit$df.residual
  levels <- unique(as.character(data[[which]])) # in the order in which they appear
  k <- length(levels); row_of <- function(level) { # other factors' contrasts average to nought
    x <- setNames(numeric(length(b)), names(b)); x[1] <- 1
    x[paste0(which, seq_len(k - 1))] <- contr.sum(k)[match(level, levels(data[[which]])), ]; x
  }
  result <- list()
  for (i in seq_len(k)) for (j in seq_len(i - 1)) {
    r <- row_of(levels[i]) - row_of(levels[j]); d <- sum(r * b); se <- sqrt(drop(r %*% v %*% r))
    q95 <- uniroot(function(x) range_upper(x, k, df) - .05, c(1, 40), tol = 1e-12)$root / sqrt(2)
    result[[length(result) + 1]] <- list(estimate = d, standard_error = se,
      p = range_upper(sqrt(2) * abs(d) / se, k, df), low = d - q95 * se, high = d + q95 * se)
  }
  if (own) {
    table <- TukeyHSD(aov(formula, data), which)[[which]]
    stopifnot(max(abs(sort(abs(table[, "diff"])) - sort(abs(sapply(result, `[[`, "estimate"))))) < 1e-9,
              max(abs(sort(table[, "p adj"]) - sort(sapply(result, `[[`, "p")))) < 1e-9)
  }
  case(name, "tukey", list(factors = frame_of(data, all.vars(formula)[-1]), terms = array_of(terms_of(formula)),
                           outcomes = data[[all.vars(formula)[1]]], which = which), list(differences = result), 1e-6)
}
tukey_case("Tukey warpbreaks", breaks ~ wool + tension, warpbreaks, "tension", TRUE)
tukey_case("Tukey study", accuracy ~ seed + bits * algorithm, study, "bits", TRUE)
tukey_case("Tukey of one factor, unbalanced", weight ~ feed, chickwts, "feed", TRUE)
tukey_case("Tukey study unbalanced", accuracy ~ bits * algorithm, lost, "bits", FALSE)

exactly <- lmeControl(maxIter = 1000, msMaxIter = 1000, tolerance = 1e-13, msTol = 1e-15, niterEM = 200)
mixed_case <- function(name, formula, group, data, method) {
  data <- droplevels(data); data$group <- factor(data[[group]])
  fit <- lme(formula, data, ~ 1 | group, method = method, control = exactly)
  null <- gls(formula, data, method = method); gained <- 2 * as.numeric(logLik(fit) - logLik(null))
  table <- anova(fit, type = "marginal", adjustSigma = FALSE); sd <- as.numeric(VarCorr(fit)[, 2])
  x <- terms_of(formula)
  case(paste(name, method), "mixed_model",
       list(factors = frame_of(data, all.vars(formula)[-1]), terms = array_of(x), group = array_of(as.character(data$group)),
            outcomes = data[[all.vars(formula)[1]]], method = method),
       list(mean = unname(fixef(fit)[1]), standard_error = sqrt(fit$varFix[1, 1]), group_deviation = sd[1], residual_deviation = sd[2],
            criterion = -2 * as.numeric(logLik(fit)), group_p = pchisq(gained, 1, lower.tail = FALSE) / 2,
            terms = if (length(x)) lapply(seq_along(x), function(i) list(f = table[i + 1, 3], df1 = table[i + 1, 1],
                      df2 = table[i + 1, 2], p = table[i + 1, 4])) else NULL), 1e-6)
}
dyestuff <- data.frame(batch = rep(LETTERS[1:6], each = 5), yield = c(
  1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560, 1445, 1440, 1595, 1465, 1545, 1595,
  1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445))
for (method in c("REML", "ML")) {
  mixed_case("Dyestuff", yield ~ 1, "batch", dyestuff, method)
  mixed_case("Dyestuff unbalanced", yield ~ 1, "batch", dyestuff[-c(1, 2, 8, 22:24), ], method)
}
mixed_case("npk", yield ~ N * P * K, "block", npk, "REML")
mixed_case("study by seed", accuracy ~ bits * algorithm, "seed", study, "REML")
mixed_case("study by seed, unbalanced", accuracy ~ bits * algorithm, "seed", lost, "REML")
mixed_case("study by seed, unbalanced", accuracy ~ bits + algorithm, "seed", lost, "ML")
oats <- transform(as.data.frame(Oats), plot = paste(Block, Variety), nitro = factor(nitro))
oats <- transform(oats, Block = factor(as.character(Block)), Variety = factor(as.character(Variety)))
mixed_case("Oats, a split plot", yield ~ Block + Variety * nitro, "plot", oats, "REML")
mixed_case("Oats, a split plot, unbalanced", yield ~ Block + Variety + nitro, "plot", oats[-c(3, 10, 11, 40), ], "REML")
mixed_case("Orthodont", distance ~ Sex * age, "Subject", transform(as.data.frame(Orthodont), age = factor(age)), "REML")
mixed_case("Orthodont unbalanced", distance ~ Sex + age, "Subject",
           transform(as.data.frame(Orthodont), age = factor(age))[-c(1, 5, 6, 31, 50, 51, 52, 100), ], "REML")

cat("{\"cases\":[\n", paste(cases, collapse = ",\n"), "\n]}\n", sep = "")
