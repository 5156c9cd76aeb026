//! Writes stages as a safetensors file that pytest-audioparity reads, and reads the inputs that it hands over.
//!
//! ```text
//! let mel = Stage { name: "mel", shape: &[1, 80, 412], data: Data::F32(&mel), kind: Some("log_spectrum"), axes: Some("BCT") };
//! write_dump(std::env::var("AUDIOPARITY_DUMP")?, &[mel])?;
//! ```
//!
//! Nothing but the standard library. Copy it into your project as you like.

use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Result, Write};
use std::path::Path;

pub enum Data<'a> {
    F32(&'a [f32]),
    I64(&'a [i64]),
}

/// One named tensor, in C order. `kind` and `axes` are what is declared of it, if anything is.
pub struct Stage<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    pub data: Data<'a>,
    pub kind: Option<&'a str>,
    pub axes: Option<&'a str>,
}

/// Returns a text as JSON has it.
fn quoted(text: &str) -> String {
    let escaped: String = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if (c as u32) < 32 => format!("\\u{:04x}", c as u32),
        c => c.to_string(),
    }).collect();
    format!("\"{escaped}\"")
}

/// Writes stages in their order, which is the data flow.
pub fn write_dump(path: impl AsRef<Path>, stages: &[Stage]) -> Result<()> {
    let (mut described, mut tensors, mut position) = (Vec::new(), String::new(), 0);
    for stage in stages {
        let (dtype, size, count) = match stage.data {
            Data::F32(values) => ("F32", 4, values.len()),
            Data::I64(values) => ("I64", 8, values.len()),
        };
        if stage.shape.iter().product::<usize>() != count {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{} has {count} values of shape {:?}", stage.name, stage.shape)));
        }
        let said = [("name", Some(stage.name)), ("kind", stage.kind), ("axes", stage.axes)];
        let said: Vec<String> = said.iter().filter_map(|(key, text)| text.map(|text| format!("\"{key}\":{}", quoted(text)))).collect();
        described.push(format!("{{{}}}", said.join(",")));
        let end = position + size * count;
        tensors += &format!(",{}:{{\"dtype\":\"{dtype}\",\"shape\":{:?},\"data_offsets\":[{position},{end}]}}", quoted(stage.name), stage.shape);
        position = end;
    }
    let document = format!("{{\"format\":1,\"stages\":[{}]}}", described.join(","));
    let mut header = format!("{{\"__metadata__\":{{\"audioparity\":{}}}{tensors}}}", quoted(&document));
    header += &" ".repeat((8 - header.len() % 8) % 8);
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for stage in stages {
        match stage.data {
            Data::F32(values) => values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?,
            Data::I64(values) => values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?,
        }
    }
    file.flush()
}

/// Reads the bytes of one tensor of a file that pytest-audioparity wrote: its header has no spaces, so no JSON parser is needed.
pub fn read_input(path: impl AsRef<Path>, name: &str) -> Result<Vec<u8>> {
    let file = std::fs::read(path)?;
    let found = || {
        let length = u64::from_le_bytes(file.get(..8)?.try_into().ok()?) as usize;
        let header = std::str::from_utf8(file.get(8..8 + length)?).ok()?;
        let entry = header.split_once(&format!("{}:{{\"dtype\":", quoted(name)))?.1;
        let (start, stop) = entry.split_once("\"data_offsets\":[")?.1.split_once(']')?.0.split_once(',')?;
        let (start, stop): (usize, usize) = (start.parse().ok()?, stop.parse().ok()?);
        Some(file.get(8 + length + start..8 + length + stop)?.to_vec())
    };
    found().ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no tensor {name}")))
}
