import { createHash } from 'node:crypto';
import { pageScript } from './page-script.ts';
import { pageStyle } from './page-style.ts';

/** The status page: the same text for everybody, as what it shows is fetched by its script. */
export interface StaticPage {
  readonly html: string;
  /** What the page may do: nothing but its own style and script, and asking the server that it is from. */
  readonly contentSecurityPolicy: string;
}

/** The page of `/debug/ipvs/`. It asks nobody else for anything. */
export function statusPage(): StaticPage {
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(pageStyle)}`,
    `script-src ${hashOf(pageScript)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { html, contentSecurityPolicy: policy.join('; ') };
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kube-proxy</title>
<style>${pageStyle}</style>
</head>
<body>
<header>
<h1 id="title">kube-proxy</h1>
<p id="summary"></p>
</header>
<main>
<section aria-labelledby="hour">
<h2 id="hour">Last hour</h2>
<div class="plots">
<figure><svg id="syncs" viewBox="0 0 600 60" preserveAspectRatio="none" role="img" aria-labelledby="syncs-text"></svg><figcaption id="syncs-text">Syncs</figcaption></figure>
<figure><svg id="drift" viewBox="0 0 600 60" preserveAspectRatio="none" role="img" aria-labelledby="drift-text"></svg><figcaption id="drift-text">Drift</figcaption></figure>
</div>
<ul id="events"></ul>
</section>
<section aria-labelledby="served">
<h2 id="served">Services</h2>
<form id="search" role="search" autocomplete="off">
<label>Namespace<input name="namespace" spellcheck="false"></label>
<label>Service<input name="name" spellcheck="false"></label>
<label>Address<input name="address" spellcheck="false"></label>
<label class="check"><input name="connections" type="checkbox">with connections</label>
<button>Show</button>
</form>
<p id="problem" class="bad" role="alert"></p>
<div id="services"></div>
<p><button type="button" id="first" disabled>First page</button> <button type="button" id="next" disabled>Next page</button></p>
</section>
<section aria-labelledby="why">
<h2 id="why">Explain a packet</h2>
<form id="question" autocomplete="off">
<label>From<input name="from" required spellcheck="false" placeholder="outside=203.0.113.9" aria-describedby="question-help"></label>
<label>To<input name="to" required spellcheck="false" placeholder="svc/shop/web:http" aria-describedby="question-help"></label>
<label>In by device<input name="in" spellcheck="false"></label>
<label>Source port<input name="source-port" inputmode="numeric" spellcheck="false"></label>
<button>Explain</button>
</form>
<p id="question-help" class="dim">From: outside=ADDRESS, node, node=ADDRESS, or the ADDRESS of a pod. To: ADDRESS:PORT/PROTOCOL, node:PORT/PROTOCOL, or svc/NAMESPACE/NAME:PORT.</p>
<p id="verdict" role="status"></p>
<pre id="explanation" class="scroll" tabindex="0" aria-label="Explanation" hidden></pre>
</section>
</main>
<script>${pageScript}</script>
</body>
</html>
`;
