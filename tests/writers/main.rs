#[path = "dump.rs"]
mod dump;
use dump::{read_input, write_dump, Data, Stage};

// See test_writers.py.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::var("AUDIOPARITY_DUMP")?;
    if std::env::args().count() > 1 {
        let bits: [u32; 8] = [0, 0x80000000, 0x3eaaaaab, 1, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc01234];
        let edges = bits.map(f32::from_bits);
        write_dump(path, &[
            Stage { name: "z/single", shape: &[], data: Data::F32(&[0.5]), kind: None, axes: None },
            Stage { name: "a codes", shape: &[3], data: Data::I64(&[i64::MIN, -1, i64::MAX]), kind: Some("codes"), axes: Some("T") },
            Stage { name: "quote \" back \\ é/日", shape: &[2, 4], data: Data::F32(&edges), kind: Some("log_spectrum"), axes: Some("CT") },
            Stage { name: "empty", shape: &[0, 3], data: Data::F32(&[]), kind: None, axes: Some("TC") },
        ])?;
        return Ok(());
    }
    let inputs = std::env::var("AUDIOPARITY_INPUTS")?;
    assert!(read_input(&inputs, "absent").is_err());
    let noise = read_input(&inputs, "the \\ noise")?;
    let mel: Vec<f32> = noise.chunks_exact(4).map(|b| 2.0 * f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert!(write_dump(&path, &[Stage { name: "x", shape: &[1], data: Data::F32(&mel), kind: None, axes: None }]).is_err());
    write_dump(path, &[Stage { name: "mel", shape: &[mel.len()], data: Data::F32(&mel), kind: None, axes: Some("T") }])?;
    Ok(())
}
