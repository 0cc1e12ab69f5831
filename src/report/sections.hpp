#pragma once
#include "report/document.hpp"
#include "report/findings.hpp"

/// The sections of a report, each of what it has something to say of: without blocks it has not.
namespace nibble::report {

/// Which combinations are equal, gain, lose, or are undecided; differences with their intervals; every combination's line.
Section answer_section(const Findings& findings);
/// Main effects and interactions of two factors: means and the analysis of variance. Of designs whose factors do not get
/// in each other's way.
Section effects_section(const Findings& findings);
/// Accuracy against bytes and latency, and what nothing else is better than in both.
Section costs_section(const Findings& findings);
/// Losses and accuracies by epoch, seeds as bands.
Section training_section(const Findings& findings, lab::Database& store);
/// Ranges and scales of every quantiser by epoch.
Section quantisers_section(const Findings& findings, lab::Database& store);
/// What each class gains and loses, and which classes are taken for which others.
Section classes_section(const Findings& findings, lab::Database& store);
/// The description, versions, machines, runs that failed, and the command.
Section provenance_section(const Findings& findings, lab::Database& store);

}  // namespace nibble::report
