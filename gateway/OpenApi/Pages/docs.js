'use strict';

let api;
const key = document.getElementById('key');
const search = document.getElementById('search');
const main = document.getElementById('operations');
const groups = document.getElementById('groups');

const element = (name, attributes, ...children) => {
  const made = document.createElement(name);
  for (const [k, v] of Object.entries(attributes ?? {})) {
    if (k.startsWith('on')) made.addEventListener(k.slice(2), v);
    else if (v !== undefined && v !== false) made.setAttribute(k, v);
  }
  made.append(...children.flat().filter(c => c !== undefined && c !== null && c !== false && c !== ''));
  return made;
};

const anchor = tag => 'g-' + tag.replace(/[^A-Za-z0-9]+/g, '-').toLowerCase();
// What most come for stands first, what describes the rest last.
const first = ['Open Inference Protocol', 'Predictions by entity', 'V1 protocol', 'MLflow scoring'];
const last = ['Health', 'Documentation', 'More'];
const rank = tag => isCall(tag) ? 3 : first.includes(tag) ? 0 : last.includes(tag) ? 2 : 1;
const isCall = tag => /^[a-z].*\..*[A-Z]/.test(tag);
const resolve = schema => schema?.$ref ? schema.$ref.split('/').slice(1).reduce((at, part) => at?.[part], api) : schema;
const nameOf = schema => schema?.$ref?.split('/').pop();

function typeOf(schema) {
  if (!schema) return '';
  const name = nameOf(schema);
  const whole = resolve(schema) ?? {};
  if (whole.enum) return 'one of ' + whole.enum.length;
  if (whole.type === 'array' || whole.type?.includes?.('array')) return typeOf(whole.items) + '[]';
  if (whole.additionalProperties) return 'map of ' + typeOf(whole.additionalProperties);
  if (name) return name.split('.').pop();
  const type = Array.isArray(whole.type) ? whole.type.filter(t => t !== 'null').join(' or ') : whole.type ?? 'any';
  return whole.format && !['int32', 'double'].includes(whole.format) ? `${type} (${whole.format})` : type;
}

function inner(schema) {
  const whole = resolve(schema) ?? {};
  if (whole.items) return inner(whole.items);
  if (whole.additionalProperties && typeof whole.additionalProperties === 'object') return inner(whole.additionalProperties);
  return whole;
}

// Rows of a table: each field with type and words, its own fields below it.
function rows(schema, depth = 0, above = []) {
  const whole = inner(schema);
  if (above.includes(whole) || depth > 4) return [];
  return Object.entries(whole.properties ?? {}).flatMap(([name, field]) => {
    const values = inner(field).enum;
    const words = [field.description ?? resolve(field)?.description ?? '', values ? values.join(', ') : ''].filter(Boolean).join('  ');
    const first = element('td', { class: depth ? 'deep' : '' }, '\u00a0'.repeat(depth * 3) + name + (whole.required?.includes(name) ? ' *' : ''));
    return [element('tr', {}, first, element('td', {}, typeOf(field)), element('td', {}, words)), ...rows(field, depth + 1, [...above, whole])];
  });
}

function example(schema, depth = 0) {
  const whole = resolve(schema) ?? {};
  const type = Array.isArray(whole.type) ? whole.type.find(t => t !== 'null') : whole.type;
  if (whole.enum) return whole.enum[0];
  if (type === 'array') return depth > 4 ? [] : [example(whole.items, depth + 1)];
  if (type === 'boolean') return false;
  if (type === 'integer' || type === 'number') return 0;
  if (type === 'string') return whole.format?.endsWith('int64') ? '0' : '';
  if (!whole.properties || depth > 4) return {};
  return Object.fromEntries(Object.entries(whole.properties).map(([name, field]) => [name, example(field, depth + 1)]));
}

function bodyOf(operation) {
  const content = operation.requestBody?.content;
  if (!content) return undefined;
  const [type, media] = Object.entries(content)[0];
  const sample = media.example ?? example(media.schema);
  return { type, schema: media.schema, text: JSON.stringify(sample, null, type.includes('ndjson') ? undefined : 2) };
}

function curl(method, path, body, type) {
  const parts = [`curl -s ${method === 'get' ? '' : '-X ' + method.toUpperCase() + ' '}${location.origin}${path}`];
  if (key.value) parts.push(`-H "x-api-key: $KEY"`);
  if (body) parts.push(`-H 'content-type: ${type}'`, `-d '${body.replace(/\s+/g, ' ').replace(/'/g, `'\\''`)}'`);
  return parts.join(' ');
}

function tryIt(path, method, operation) {
  const fields = (operation.parameters ?? []).map(p => ({ ...p, input: element('input', { type: 'text', placeholder: p.description ?? p.in }) }));
  const body = bodyOf(operation);
  const text = body && element('textarea', { spellcheck: 'false', 'aria-label': 'Body' });
  if (text) text.value = body.text;
  const out = element('div', { 'aria-live': 'polite' });
  const button = element('button', { type: 'submit' }, 'Send');
  const form = element('form', { class: 'try', onsubmit: send },
    fields.map(f => element('label', {}, element('code', {}, f.name), f.input)), text, button, out);
  return form;

  async function send(event) {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const f of fields) {
      if (f.in === 'path') url = url.replace(`{${f.name}}`, encodeURIComponent(f.input.value));
      else if (f.input.value && f.in === 'query') query.set(f.name, f.input.value);
      else if (f.input.value) headers[f.name] = f.input.value;
    }
    if (query.size) url += '?' + query;
    if (key.value) headers['x-api-key'] = key.value;
    if (text) headers['content-type'] = body.type;
    button.disabled = true;
    const since = performance.now();
    try {
      const answer = await fetch(url, { method: method.toUpperCase(), headers, body: text?.value });
      const said = await answer.text();
      const took = Math.round(performance.now() - since);
      out.replaceChildren(
        element('p', { class: 'status ' + (answer.ok ? 'good' : 'bad') }, `${answer.status} ${answer.statusText} in ${took} ms`),
        element('pre', {}, pretty(said)), element('pre', {}, curl(method, url, text?.value, body?.type)));
    } catch (e) {
      out.replaceChildren(element('p', { class: 'status bad' }, `No answer: ${e.message}`));
    } finally {
      button.disabled = false;
    }
  }
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text || '(empty)'; }
}

function schemaTable(title, schema) {
  if (!schema) return [];
  const fields = rows(schema);
  return [element('h3', {}, title), fields.length ? element('table', {}, element('tbody', {}, fields)) : element('p', {}, typeOf(schema) || 'nothing')];
}

function inside(path, method, operation) {
  const ok = Object.entries(operation.responses ?? {}).find(([status]) => status.startsWith('2'))?.[1];
  const facts = [
    operation['x-grpc'] && `gRPC ${operation['x-grpc'].method}`,
    operation['x-grpc']?.client_streaming && 'takes a stream: one JSON object a line',
    operation['x-grpc']?.server_streaming && 'answers a stream: one line a message',
    operation.security?.length === 0 ? 'asks for no key' : operation['x-roles'] && 'roles: ' + operation['x-roles'].join(', '),
    operation['x-audited'] && 'audited',
  ].filter(Boolean);
  return element('div', { class: 'inside' },
    operation.description && element('p', {}, operation.description),
    element('div', { class: 'facts' }, facts.map(f => element('span', {}, f))),
    schemaTable('Request', bodyOf(operation)?.schema),
    schemaTable('Answer', ok?.content && Object.values(ok.content)[0].schema),
    element('h3', {}, 'Try it'), tryIt(path, method, operation));
}

function card({ path, method, operation }) {
  const details = element('details', { class: 'operation', id: `${method}-${path}` },
    element('summary', {},
      element('span', { class: 'method ' + method }, method.toUpperCase()), element('span', { class: 'path' }, path),
      element('span', { class: 'what' }, operation['x-grpc'] ? operation.description?.split('. ')[0] : operation.summary)));
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(inside(path, method, operation));
    if (details.open) history.replaceState(null, '', '#' + details.id);
  });
  return details;
}

function render() {
  const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const byTag = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'More';
      const words = `${method} ${path} ${tag} ${operation.summary ?? ''} ${operation.description ?? ''}`.toLowerCase();
      if (!wanted.every(w => words.includes(w))) continue;
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push({ path, method, operation });
    }
  }

  const tags = [...byTag.keys()].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const link = tag => element('a', { href: '#' + anchor(tag) }, isCall(tag) ? tag.split('.').pop() : tag, element('span', {}, `${byTag.get(tag).length}`));
  groups.replaceChildren(
    element('h2', {}, 'REST'), ...tags.filter(t => !isCall(t)).map(link),
    element('h2', {}, 'gRPC and JSON'), ...tags.filter(isCall).map(link));
  main.replaceChildren(...tags.map(tag => element('section', {},
    element('h2', { id: anchor(tag) }, tag),
    isCall(tag) && element('p', {}, 'gRPC on its own port; here as JSON over POST.'),
    byTag.get(tag).map(card))));
  if (!tags.length) main.replaceChildren(element('p', { class: 'empty' }, 'Nothing matches. Try fewer words.'));
}

fetch('/openapi.json').then(r => r.json()).then(loaded => {
  api = loaded;
  render();
  const linked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (linked) {
    if (linked.tagName === 'DETAILS') linked.open = true;
    linked.scrollIntoView();
  }
  search.addEventListener('input', render);
}).catch(e => main.replaceChildren(element('p', { class: 'empty' }, `The document could not be loaded: ${e.message}`)));

window.addEventListener('keydown', e => {
  if (e.key !== '/' || /^(input|textarea)$/i.test(e.target.tagName)) return;
  e.preventDefault();
  search.focus();
});
