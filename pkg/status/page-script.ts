/**
 * The script of the status page. What it shows comes from `/debug/ipvs` and goes into text nodes and attributes of SVG that are numbers: no
 * text becomes HTML. It has no backtick and no `\`, so that it stands here as it is.
 */
export const pageScript = `
'use strict';
(function () {
  const svg = 'http://www.w3.org/2000/svg';
  const byId = function (id) { return document.getElementById(id); };
  const form = byId('search');
  let after = null;
  let next = null;
  let opened = new Set();
  let offset = 0;
  let asking = 0;

  function element(name, text, style) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = String(text);
    if (style) made.className = style;
    return made;
  }

  function span(milliseconds) {
    let seconds = Math.max(0, Math.round(milliseconds / 1000));
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    seconds %= 60;
    if (hours > 0) return hours + 'h' + minutes + 'm';
    return minutes > 0 ? minutes + 'm' + seconds + 's' : seconds + 's';
  }

  function count(number, what) { return number + ' ' + what + (number === 1 ? '' : 's'); }

  function now() { return Date.now() + offset; }

  function plot(id, minutes, valueOf, isBad) {
    const chart = byId(id);
    const last = Math.floor(now() / 60000);
    const most = Math.max(1, ...minutes.map(valueOf));
    chart.replaceChildren();
    for (const minute of minutes) {
      const place = 59 - (last - Math.floor(Date.parse(minute.time) / 60000));
      const value = valueOf(minute);
      if (place < 0 || place > 59 || !(value > 0)) continue;
      const height = Math.max(2, (value / most) * 60);
      const bar = document.createElementNS(svg, 'rect');
      bar.setAttribute('x', String(place * 10 + 1));
      bar.setAttribute('y', String(60 - height));
      bar.setAttribute('width', '8');
      bar.setAttribute('height', String(height));
      if (isBad(minute)) bar.setAttribute('class', 'bad');
      chart.append(bar);
    }
    return most;
  }

  function sum(counts) { return Object.values(counts).reduce(function (all, one) { return all + one; }, 0); }

  function showNode(node) {
    if (!node) return;
    document.title = node.name + ' – kube-proxy';
    byId('title').textContent = 'Node ' + node.name;
    const counts = node.counts;
    byId('summary').textContent = 'kube-proxy ' + node.program + ', for ' + span(now() - Date.parse(node.started)) + '. ' +
      count(counts.services, 'Service') + ', ' + counts.failedServices + ' failing, ' + count(counts.conflicts, 'conflict') + ', ' +
      counts.draining + ' draining.' + (node.hasSynced ? '' : ' The first sync goes on.');
    byId('summary').className = counts.failedServices > 0 ? 'bad' : '';
    const longest = plot('syncs', node.minutes, function (one) { return one.longest; }, function (one) { return one.failedSyncs > 0; });
    byId('syncs-text').textContent = 'Syncs of the last hour: the longest of each minute; at most ' + longest.toFixed(1) + ' ms. ' +
      sum(node.minutes.map(function (one) { return one.failedSyncs; })) + ' of ' + sum(node.minutes.map(function (one) { return one.syncs; })) + ' failed';
    plot('drift', node.minutes, function (one) { return sum(one.repairs); }, function () { return true; });
    byId('drift-text').textContent = 'Drift of the last hour: ' + sum(node.minutes.map(function (one) { return sum(one.repairs); })) + ' repaired';
    const examples = node.minutes.slice(-3).flatMap(function (one) {
      return one.examples.map(function (text) { return span(now() - Date.parse(one.time)) + ' ago: ' + text; });
    });
    const failures = node.failures.map(failureText);
    byId('events').replaceChildren(...examples.map(function (text) { return element('li', text); }),
      ...failures.map(function (text) { return element('li', text, 'bad'); }));
  }

  function failureText(failure) {
    return failure.object + ': ' + failure.error + ', for ' + span(now() - Date.parse(failure.since));
  }

  function healthOf(service) {
    const virtualServers = service.virtualServers;
    const real = virtualServers.flatMap(function (one) { return one.realServers; });
    const some = function (states) { return virtualServers.concat(real).some(function (one) { return states.includes(one.state); }); };
    if (service.failures.length > 0) return ['failing', 'bad'];
    if (some(['missing', 'unknown'])) return ['incomplete', 'bad'];
    if (some(['lost'])) return ['address lost', 'warn'];
    if (service.unhonoured.length > 0) return ['not all honoured', 'warn'];
    if (service.isDeleted) return ['going', 'dim'];
    if (virtualServers.length > 0 && !some(['serving'])) return ['no endpoint', 'warn'];
    return some(['draining']) ? ['drains', 'good'] : ['well', 'good'];
  }

  const causes = { virtualServer: 'its virtual server goes', successor: 'another pod has its address' };
  const pods = { alive: 'its endpoint is not chosen any more', dying: 'its pod terminates', left: 'its pod left its slices', gone: 'its pod is gone', unseen: 'no slice names it' };

  function clock(drain) {
    const cell = element('span');
    cell.dataset.since = drain.since;
    if (drain.until) cell.dataset.until = drain.until;
    tell(cell);
    return cell;
  }

  function tell(cell) {
    const until = cell.dataset.until;
    cell.textContent = 'for ' + span(now() - Date.parse(cell.dataset.since)) +
      (until ? ', ' + span(Date.parse(until) - now()) + ' at most' : ', until it has no connections');
  }

  function realServerRow(one) {
    const row = element('tr');
    const port = one.address.includes(':') ? '[' + one.address + ']:' + one.port : one.address + ':' + one.port;
    const counts = one.connections || (one.drain && one.drain.connections);
    const styles = { serving: 'good', missing: 'bad', draining: 'warn' };
    row.append(element('td', port), element('td', one.weight === null ? '–' : one.weight, 'number'),
      element('td', counts ? counts.active : '–', 'number'), element('td', counts ? counts.inactive : '–', 'number'),
      element('td', one.node || ''), element('td', one.state, styles[one.state] || ''));
    const why = element('td');
    if (one.drain) why.append(element('span', (causes[one.drain.cause] || pods[one.drain.pod] || '') + ', '), clock(one.drain));
    row.append(why);
    return row;
  }

  function virtualServerTable(virtualServer) {
    const table = element('table');
    const address = virtualServer.address.includes(':') ? '[' + virtualServer.address + ']' : virtualServer.address;
    const port = virtualServer.servicePort ? ' (port ' + (virtualServer.servicePort.name || virtualServer.servicePort.port) + ')' : '';
    const lost = virtualServer.lostTo ? ': Service ' + virtualServer.lostTo + ' has it' : '';
    const affinity = virtualServer.affinitySeconds > 0 ? ', affinity ' + virtualServer.affinitySeconds + ' s' : '';
    const bad = ['missing', 'unknown', 'lost'].includes(virtualServer.state);
    table.append(element('caption', address + ':' + virtualServer.port + '/' + virtualServer.protocol + port + ', ' + (virtualServer.addressKind || 'of no known Service') +
      ', ' + virtualServer.scheduler + affinity + ', ' + virtualServer.state + lost, bad ? 'bad' : ''));
    if (virtualServer.realServers.length > 0) {
      const head = element('tr');
      for (const name of ['real server', 'weight', 'active', 'inactive', 'node', 'state', 'drain']) {
        const cell = element('th', name);
        cell.scope = 'col';
        head.append(cell);
      }
      const top = element('thead');
      top.append(head);
      const body = element('tbody');
      body.append(...virtualServer.realServers.map(realServerRow));
      table.append(top, body);
    }
    const box = element('div', null, 'scroll');
    box.append(table);
    if (virtualServer.moreRealServers > 0) box.append(element('p', 'and ' + virtualServer.moreRealServers + ' more real servers', 'dim'));
    return box;
  }

  function fill(details, service) {
    details.append(...service.failures.map(function (one) { return element('p', failureText(one), 'bad'); }),
      ...service.unhonoured.map(function (one) { return element('p', 'not honoured: ' + one.field + ' ' + one.value + ': ' + one.reason, 'warn'); }),
      ...service.virtualServers.map(virtualServerTable));
    if (service.moreVirtualServers > 0) details.append(element('p', 'and ' + service.moreVirtualServers + ' more virtual servers', 'dim'));
  }

  function serviceDetails(service) {
    const key = service.namespace + '/' + service.name;
    const details = element('details');
    const health = healthOf(service);
    const line = element('summary');
    const real = service.virtualServers.flatMap(function (one) { return one.realServers; });
    line.append(element('span', health[0], 'health ' + health[1]), element('span', service.name === '' ? 'No Service is known' : key, 'name'),
      element('span', count(service.virtualServers.length, 'virtual server') + ', ' + count(real.length, 'real server'), 'dim'));
    details.append(line);
    details.addEventListener('toggle', function () {
      if (details.open) opened.add(key);
      else opened.delete(key);
      if (details.open && details.childElementCount === 1) fill(details, service);
    });
    if (opened.has(key)) {
      fill(details, service);
      details.open = true;
    }
    return details;
  }

  function showServices(services) {
    const active = document.activeElement && document.activeElement.closest('details');
    const place = active ? Array.prototype.indexOf.call(byId('services').children, active) : -1;
    byId('services').replaceChildren(...services.map(serviceDetails));
    const again = place < 0 ? null : byId('services').children[place];
    if (again) again.firstElementChild.focus();
    if (services.length === 0) byId('services').append(element('p', 'No Service.', 'dim'));
  }

  async function ask() {
    const turn = ++asking;
    const parameters = new URLSearchParams();
    for (const name of ['namespace', 'name', 'address']) {
      const text = form.elements[name].value.trim();
      if (text !== '') parameters.set(name, text);
    }
    if (form.elements.connections.checked) parameters.set('connections', '1');
    if (after !== null) parameters.set('continue', after);
    try {
      const answer = await fetch('../ipvs?' + parameters, { cache: 'no-store' });
      const text = await answer.text();
      if (turn !== asking) return;
      if (!answer.ok) throw new Error(text.trim());
      const report = JSON.parse(text);
      offset = Date.parse(report.time) - Date.now();
      next = report.continue;
      byId('problem').textContent = '';
      showNode(after === null ? report.node : (await (await fetch('../ipvs?limit=1', { cache: 'no-store' })).json()).node);
      showServices(report.services);
      byId('next').disabled = next === null;
      byId('first').disabled = after === null;
    } catch (error) {
      if (turn === asking) byId('problem').textContent = String(error.message || error);
    }
  }

  form.addEventListener('submit', function (event) {
    event.preventDefault();
    after = null;
    void ask();
  });
  const answers = { Yes: 'good', No: 'bad' };

  function showAnswer(verdict, text) {
    byId('verdict').textContent = verdict;
    byId('verdict').className = answers[verdict.split(':')[0]] || 'warn';
    byId('explanation').textContent = text;
    byId('explanation').hidden = text === '';
  }

  async function explain(question) {
    const parameters = new URLSearchParams({ output: 'text' });
    for (const input of question.querySelectorAll('input'))
      if (input.value.trim() !== '') parameters.set(input.name, input.value.trim());
    byId('question').setAttribute('aria-busy', 'true');
    try {
      const answer = await fetch('explain?' + parameters, { cache: 'no-store' });
      const text = (await answer.text()).trimEnd();
      if (!answer.ok) return showAnswer(text, '');
      const end = text.lastIndexOf(String.fromCharCode(10));
      showAnswer(text.slice(end + 1), text.slice(0, Math.max(end, 0)).trimEnd());
    } catch (error) {
      showAnswer(String(error.message || error), '');
    } finally {
      byId('question').removeAttribute('aria-busy');
    }
  }

  byId('question').addEventListener('submit', function (event) {
    event.preventDefault();
    if (!event.target.hasAttribute('aria-busy')) void explain(event.target);
  });
  // A link to one Service: #namespace/name.
  let wanted = [];
  try {
    wanted = decodeURIComponent(location.hash.slice(1)).split('/');
  } catch (error) {
    byId('problem').textContent = 'the link names no Service';
  }
  if (wanted.length === 2) {
    form.elements.namespace.value = wanted[0];
    form.elements.name.value = wanted[1];
    opened.add(wanted.join('/'));
  }
  byId('next').addEventListener('click', function () { after = next; void ask(); });
  byId('first').addEventListener('click', function () { after = null; void ask(); });
  setInterval(function () { document.querySelectorAll('[data-since]').forEach(tell); }, 1000);
  setInterval(function () { if (!document.hidden) void ask(); }, 5000);
  void ask();
})();
`;
