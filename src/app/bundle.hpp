#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/json.hpp"

/// An application: pre-processing, network, post-processing, as one folder or file. docs/design/applications.md.
namespace nibble::app {

/// Of the form of app.json. A newer one is refused by name.
inline constexpr int64_t version = 1;

/// The parts of a bundle by name ("app.json", "samples/face.jpg"): slashes between folders, no "..", no absolute path.
using Parts = std::map<std::string, std::string, std::less<>>;

/// SHA-256 in hexadecimal.
std::string sha256(std::string_view bytes);

/// The parts of a .nibapp (a zip) or of a folder, every one with the hash and the size that app.json's `files` says, and
/// none besides. Throws UserError "app: <place>: ...": damaged, a part changed, missing or too many, a name that leads
/// outside, more than 2^30 bytes in all, a newer version.
Parts read_bundle(const std::filesystem::path& place);
Parts parse_bundle(std::string_view zip, const std::string& place);

/// The file of these parts, `files` written into app.json. The same parts give the same bytes.
std::string bundle_bytes(Parts parts, const std::string& place);

/// Throws UserError unless a name may be a part's.
void check_part_name(std::string_view name, const std::string& place);

/// The part's bytes; throws UserError naming what asked for it.
const std::string& part_named(const Parts& parts, std::string_view name, const std::string& asked_by);

}  // namespace nibble::app
