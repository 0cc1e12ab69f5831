#pragma once
#include "lab/store/database.hpp"

/// The tables of results.db. What each column holds stands beside it in schema.cpp, and, with the views, in
/// docs/design/studies.md.
namespace nibble::lab {

/// PRAGMA user_version of what this Nibble writes.
inline constexpr int schema_version = 1;

/// Makes the tables in an empty database; finds them in another. Throws UserError naming the version where it is a newer
/// one, and where the database is of something else.
void require_schema(Database& database);

}  // namespace nibble::lab
