#pragma once

namespace nibble::stats {

/// P(Q >= q) of the studentised range: the range of `groups` independent standard normals over an independent
/// S = sqrt(chi squared(df) / df). q >= 0, groups >= 2, df >= 1 (infinite: S = 1). 1e-10 relative, down to 1e-15.
/// Source: Copenhaver and Holland 1988, here by quadrature on log S.
double studentised_range_upper(double q, int groups, double df);

/// The q with P(Q >= q) = upper; upper in (0, 1).
double studentised_range_quantile(double upper, int groups, double df);

}  // namespace nibble::stats
