// Runs ONNX models with ONNX Runtime. One JSON object a line on standard input:
//   {"model": PATH, "inputs": {NAME: {"dims": [..], "type": "float32"|"int64", "file": PATH}}, "out": PREFIX}
// Writes PREFIX.0, PREFIX.1, ... as raw float32; answers with {"dims": [[..], ..]} or {"error": TEXT}.
const ort = require('onnxruntime-node');
const fs = require('fs');
const readline = require('readline');

async function answer(request) {
  const session = await ort.InferenceSession.create(request.model, {logSeverityLevel: 3, intraOpNumThreads: 1});
  const feeds = {};
  for (const [name, input] of Object.entries(request.inputs)) {
    const bytes = fs.readFileSync(input.file);
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    const data = input.type === 'int64' ? new BigInt64Array(buffer) : new Float32Array(buffer);
    feeds[name] = new ort.Tensor(input.type, data, input.dims);
  }
  const results = await session.run(feeds);
  const dims = [];
  session.outputNames.forEach((name, i) => {
    fs.writeFileSync(`${request.out}.${i}`, Buffer.from(Float32Array.from(results[name].data, Number).buffer));
    dims.push(results[name].dims);
  });
  return {dims};
}

(async () => {
  for await (const line of readline.createInterface({input: process.stdin})) {
    let reply;
    try {
      reply = await answer(JSON.parse(line));
    } catch (error) {
      reply = {error: String(error.message || error)};
    }
    process.stdout.write(JSON.stringify(reply) + '\n');
  }
})();
