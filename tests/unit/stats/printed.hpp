#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace nibble::stats {

/// `value` rounds to the number as it is printed, to its last digit (which may have been cut off instead of rounded).
inline void expect_printed(double value, const std::string& printed) {
  const size_t exponent = printed.find('e');
  const std::string digits = printed.substr(0, exponent);
  const size_t point = digits.find('.');
  const int decimals = point == std::string::npos ? 0 : static_cast<int>(digits.size() - point - 1);
  const int power = exponent == std::string::npos ? 0 : std::stoi(printed.substr(exponent + 1));
  EXPECT_NEAR(value, std::stod(printed), 1.001 * std::pow(10.0, power - decimals)) << printed;
}

}  // namespace nibble::stats
