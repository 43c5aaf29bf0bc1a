/** The preview of a linked page: text only, so the browser fetches nothing from that page. */

import { html } from "htm/preact";

/** @import { LinkPreview } from "../../contracts.js" */

/** The page's real host, because it can give itself any site name. @param {string} url */
const host = (url) => (URL.canParse(url) ? new URL(url).host : "");

/** @param {{preview: LinkPreview}} props */
export function Preview({ preview: { url, title, description, site_name } }) {
  if (!url.startsWith("https://")) return null;
  return html`
    <aside class="preview" data-test="preview">
      <a href=${url} target="_blank" rel="noopener noreferrer nofollow"><bdi>${title}</bdi></a>
      ${description && html`<p class="clamp" dir="auto">${description}</p>`}
      <p class="quiet">${site_name && html`<bdi>${site_name}</bdi> · `}${host(url)}</p>
    </aside>`;
}
