#!/usr/bin/env node
// Asks a model for predictions over the Open Inference Protocol: REST with JSON and with binary tensors by Node alone, and
// gRPC, raw, typed and as a stream, where @grpc/grpc-js is installed (npm install in this folder).
//
//   predict.mjs MODEL[@VERSION] INPUT=DATATYPE:VALUE[,VALUE…] …
//
// MLOPS_REST, MLOPS_GRPC and MLOPS_KEY as for the other clients. Ends with 1 where an answer is refused or two differ.
import { fileURLToPath } from 'node:url';

const rest = process.env.MLOPS_REST ?? 'http://127.0.0.1:8080';
const grpcAddress = (process.env.MLOPS_GRPC ?? 'http://127.0.0.1:8081').replace(/^.*:\/\//, '').replace(/\/$/, '');
const key = process.env.MLOPS_KEY;
const protos = fileURLToPath(new URL('../../../services/Contracts/Protos/', import.meta.url));

const [target, ...given] = process.argv.slice(2);
if (!target || given.length === 0) {
  console.log('usage: predict.mjs MODEL[@VERSION] INPUT=DATATYPE:VALUE[,VALUE…] …');
  process.exit(2);
}

const [model, version = ''] = target.split('@');
const inputs = given.map((argument) => {
  const [, name, datatype, values] = /^(.*?)=(.*?):(.*)$/s.exec(argument);
  const data = values.split(',').map((value) => (datatype === 'BYTES' ? value : datatype === 'BOOL' ? value === 'true' : Number(value)));
  return { name, datatype, shape: [data.length, 1], data };
});

function pack({ datatype, data }) {
  if (datatype === 'BYTES') {
    return Buffer.concat(data.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }));
  }

  const arrays = {
    BOOL: Uint8Array, UINT8: Uint8Array, UINT16: Uint16Array, UINT32: Uint32Array, UINT64: BigUint64Array, INT8: Int8Array,
    INT16: Int16Array, INT32: Int32Array, INT64: BigInt64Array, FP32: Float32Array, FP64: Float64Array,
  };
  const values = datatype.endsWith('INT64') ? data.map(BigInt) : data.map((value) => (value === null ? NaN : Number(value)));
  return Buffer.from(arrays[datatype].from(values).buffer);
}

async function post(body, headers) {
  const path = `${rest.replace(/\/$/, '')}/v2/models/${model}${version && `/versions/${version}`}/infer`;
  const answer = await fetch(path, { method: 'POST', body, headers: { ...headers, ...(key && { 'x-api-key': key }) } });
  if (!answer.ok) throw new Error(`refused with ${answer.status}: ${(await answer.json()).error}`);
  return answer;
}

async function byJson() {
  const answer = await post(JSON.stringify({ inputs }), { 'content-type': 'application/json' });
  return (await answer.json()).outputs.map((output) => [output.name, pack(output)]);
}

async function byBinary() {
  const raws = inputs.map(pack);
  const head = Buffer.from(JSON.stringify({
    inputs: inputs.map(({ name, datatype, shape }, i) => ({ name, datatype, shape, parameters: { binary_data_size: raws[i].length } })),
    parameters: { binary_data_output: true },
  }));
  const answer = await post(Buffer.concat([head, ...raws]), {
    'content-type': 'application/octet-stream', 'inference-header-content-length': String(head.length),
  });
  const body = Buffer.from(await answer.arrayBuffer());
  let at = Number(answer.headers.get('inference-header-content-length'));
  return JSON.parse(body.subarray(0, at)).outputs.map((output) => {
    const raw = body.subarray(at, at + output.parameters.binary_data_size);
    at += raw.length;
    return [output.name, raw];
  });
}

const lists = {
  BOOL: 'bool_contents', INT8: 'int_contents', INT16: 'int_contents', INT32: 'int_contents', INT64: 'int64_contents',
  UINT8: 'uint_contents', UINT16: 'uint_contents', UINT32: 'uint_contents', UINT64: 'uint64_contents', FP32: 'fp32_contents',
  FP64: 'fp64_contents', BYTES: 'bytes_contents',
};

function requestOf(isRaw) {
  return {
    model_name: model,
    model_version: version,
    inputs: inputs.map(({ name, datatype, shape, data }) => ({
      name, datatype, shape,
      ...(!isRaw && { contents: { [lists[datatype]]: datatype === 'BYTES' ? data.map((text) => Buffer.from(text)) : data } }),
    })),
    ...(isRaw && { raw_input_contents: inputs.map(pack) }),
  };
}

const outputsOf = (answer) => answer.outputs.map((output, i) => [
  output.name,
  answer.raw_output_contents[i] ?? pack({ datatype: output.datatype, data: output.contents[lists[output.datatype]] }),
]);

async function byGrpc(grpc, loader) {
  const definition = loader.loadSync('open_inference/grpc_service.proto', { includeDirs: [protos], keepCase: true, longs: String, defaults: true });
  const { GRPCInferenceService } = grpc.loadPackageDefinition(definition).inference;
  const client = new GRPCInferenceService(grpcAddress, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  if (key) metadata.set('x-api-key', key);
  const call = (request) => new Promise((resolve, reject) => {
    client.ModelInfer(request, metadata, { deadline: Date.now() + 10_000 }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
  const stream = (request) => new Promise((resolve, reject) => {
    const answers = client.ModelStreamInfer(metadata, { deadline: Date.now() + 10_000 });
    answers.on('data', ({ error_message, infer_response }) => (error_message ? reject(new Error(error_message)) : resolve(infer_response)));
    answers.on('error', reject);
    answers.write(request);
    answers.end();
  });
  return {
    'gRPC, raw': outputsOf(await call(requestOf(true))),
    'gRPC, typed': outputsOf(await call(requestOf(false))),
    'gRPC, stream': outputsOf(await stream(requestOf(true))),
  };
}

try {
  const answers = { 'REST, JSON': await byJson(), 'REST, binary': await byBinary() };
  const packages = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]).catch(() => null);
  if (packages) Object.assign(answers, await byGrpc(packages[0].default, packages[1].default));
  else console.log('gRPC: @grpc/grpc-js is not installed');
  const shown = Object.entries(answers).map(([way, outputs]) => [way, outputs.map(([name, raw]) => `${name} ${raw.toString('hex')}`).join(' ')]);
  for (const [way, text] of shown) console.log(`${way}: ${text}`);
  const isEqual = new Set(shown.map(([, text]) => text)).size === 1;
  console.log(isEqual ? 'all answers are equal to the bit' : 'the answers differ');
  process.exit(isEqual ? 0 : 1);
} catch (error) {
  console.log(error.message);
  process.exit(1);
}
