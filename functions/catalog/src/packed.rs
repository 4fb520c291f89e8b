//! Long lists and documents as short text: JSON, compressed, in Base64. For fields of records (as a `serde` module) and for the
//! documents that are kept beside them.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// API Gateway imports 6 MB at most; its exports add little to that. More than this is no document of ours.
const UNPACKED_BYTES_MAX: u64 = 64 << 20;

/// JSON, compressed, in Base64.
pub fn pack<T: Serialize + ?Sized>(value: &T) -> Result<String, std::io::Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&serde_json::to_vec(value)?)?;
    Ok(STANDARD.encode(encoder.finish()?))
}

/// What [`pack`] has packed.
pub fn unpack<T: DeserializeOwned>(text: &str) -> Result<T, std::io::Error> {
    let bytes = STANDARD.decode(text).map_err(std::io::Error::other)?;
    let mut json = Vec::new();
    GzDecoder::new(bytes.as_slice()).take(UNPACKED_BYTES_MAX).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// For `#[serde(with = "crate::packed")]`.
pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&pack(value).map_err(S::Error::custom)?)
}

/// For `#[serde(with = "crate::packed")]`.
pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    unpack(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_packed_is_short_and_comes_out_as_it_was() {
        let value =
            json!((0..1_000).map(|n| json!({"method": "GET", "path": format!("/cats/{n}")})).collect::<Vec<_>>());
        let packed = pack(&value).unwrap();
        assert!(packed.len() * 5 < value.to_string().len(), "{}", packed.len());
        assert_eq!(unpack::<Value>(&packed).unwrap(), value);
        assert!(unpack::<Value>("no").is_err() && unpack::<Value>("YWJj").is_err());
    }
}
