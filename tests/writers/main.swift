import Foundation

// See test_writers.py. What writeDump refuses, it refuses by a precondition, which ends the program.
let environment = ProcessInfo.processInfo.environment
let path = environment["AUDIOPARITY_DUMP"]!
var stages: [Stage]
if CommandLine.arguments.count > 1 {
    let bits: [UInt32] = [0, 0x8000_0000, 0x3eaa_aaab, 1, 0x7f7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_1234]
    stages = [
        Stage("z/single", shape: [], floats: [0.5]),
        Stage("a codes", shape: [3], integers: [Int64.min, -1, Int64.max], kind: "codes", axes: "T"),
        Stage("quote \" back \\ é/日", shape: [2, 4], floats: bits.map { Float(bitPattern: $0) }, kind: "log_spectrum", axes: "CT"),
        Stage("empty", shape: [0, 3], floats: [], axes: "TC"),
    ]
} else {
    let noise = try readInputs(environment["AUDIOPARITY_INPUTS"]!)["the \\ noise"]!
    stages = [Stage("mel", shape: noise.shape, floats: noise.floats.map { 2 * $0 }, axes: "T")]
}
try writeDump(stages, to: path)
