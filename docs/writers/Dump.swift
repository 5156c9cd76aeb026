// Writes stages as a safetensors file that pytest-audioparity reads, and reads the inputs that it hands over.
//
//     let environment = ProcessInfo.processInfo.environment
//     let noise = try readInputs(environment["AUDIOPARITY_INPUTS"]!)["noise"]!.floats
//     let mel = Stage("mel", shape: [1, 80, 412], floats: values, kind: "log_spectrum", axes: "BCT")
//     try writeDump([mel], to: environment["AUDIOPARITY_DUMP"]!)
//
// Swift 5.5 or newer and Foundation, little-endian machines. An MLMultiArray may have strides: copy it element by element.
// Copy this file into your project as you like.

import Foundation

/// One named tensor in C order; `kind` and `axes` are what is declared of it, if anything is.
public struct Stage {
    public let name: String, shape: [Int], dtype: String, bytes: Data
    public let kind: String?, axes: String?

    public init(_ name: String, shape: [Int], floats: [Float], kind: String? = nil, axes: String? = nil) {
        precondition(shape.reduce(1, *) == floats.count, "\(name) has \(floats.count) values of shape \(shape)")
        self.init(name, shape, "F32", floats.withUnsafeBufferPointer { Data(buffer: $0) }, kind, axes)
    }

    public init(_ name: String, shape: [Int], integers: [Int64], kind: String? = nil, axes: String? = nil) {
        precondition(shape.reduce(1, *) == integers.count, "\(name) has \(integers.count) values of shape \(shape)")
        self.init(name, shape, "I64", integers.withUnsafeBufferPointer { Data(buffer: $0) }, kind, axes)
    }

    private init(_ name: String, _ shape: [Int], _ dtype: String, _ bytes: Data, _ kind: String?, _ axes: String?) {
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.bytes = bytes
        self.kind = kind
        self.axes = axes
    }
}

/// A text as JSON has it: an array of one, without its brackets.
private func quoted(_ text: String) throws -> String {
    String(String(decoding: try JSONEncoder().encode([text]), as: UTF8.self).dropFirst().dropLast())
}

/// Writes stages in their order, which is the data flow.
public func writeDump(_ stages: [Stage], to path: String) throws {
    precondition(Set(stages.map { $0.name }).count == stages.count, "a name comes twice")
    var described: [String] = [], tensors = "", body = Data()
    for stage in stages {
        let name = try quoted(stage.name)
        var said = "\"name\":\(name)"
        for (key, text) in [("kind", stage.kind), ("axes", stage.axes)] {
            guard let text = text else { continue }
            let value = try quoted(text)
            said += ",\"\(key)\":\(value)"
        }
        described.append("{\(said)}")
        let start = body.count
        body.append(stage.bytes)
        let layout = "\"dtype\":\"\(stage.dtype)\",\"shape\":\(stage.shape),\"data_offsets\":[\(start),\(body.count)]"
        tensors += ",\(name):{\(layout)}"
    }
    let list = described.joined(separator: ",")
    let document = try quoted("{\"format\":1,\"stages\":[\(list)]}")
    var header = Data("{\"__metadata__\":{\"audioparity\":\(document)}\(tensors)}".utf8)
    header.append(Data(repeating: 0x20, count: (8 - header.count % 8) % 8))
    var file = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    file.append(header)
    file.append(body)
    try file.write(to: URL(fileURLWithPath: path))
}

/// A tensor as its bytes, little-endian and in C order.
public struct Input {
    public let dtype: String, shape: [Int], bytes: Data

    /// The values of an F32 tensor.
    public var floats: [Float] {
        var values = [Float](repeating: 0, count: bytes.count / 4)
        _ = values.withUnsafeMutableBytes { bytes.copyBytes(to: $0) }
        return values
    }
}

/// Reads every tensor of a safetensors file by name.
public func readInputs(_ path: String) throws -> [String: Input] {
    struct Entry: Decodable {
        let dtype: String?, shape: [Int]?, data_offsets: [Int]?
    }
    let file = try Data(contentsOf: URL(fileURLWithPath: path))
    let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try JSONDecoder().decode([String: Entry].self, from: file.subdata(in: 8..<8 + length))
    var inputs: [String: Input] = [:]
    for (name, entry) in header {
        guard let dtype = entry.dtype, let shape = entry.shape, let range = entry.data_offsets else { continue }
        let bytes = file.subdata(in: 8 + length + range[0]..<8 + length + range[1])
        inputs[name] = Input(dtype: dtype, shape: shape, bytes: bytes)
    }
    return inputs
}
