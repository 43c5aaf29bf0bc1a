// The problems of the page's current state, as texts; an empty list if there are none.
() => {
  const complaints = [];
  const complain = (what, element) =>
    complaints.push(`${what}: ${element.outerHTML.slice(0, 200)}`);
  const all = (selector) => [...document.querySelectorAll(selector)];
  for (const details of all("details")) details.open = true;

  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    complain(`the page is ${root.scrollWidth} px wide`, root);
    for (const one of all("body *")) {
      if (one.getBoundingClientRect().right > innerWidth) complain("reaches out", one);
    }
  }
  for (const one of all("body *")) {
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
    if (scrolls && one.scrollWidth > one.clientWidth) complain("scrolls sideways", one);
  }

  for (const one of all("input, select, textarea")) {
    const named = one.labels.length || one.getAttribute("aria-label");
    if (!named) complain("has no label", one);
  }
  for (const one of all("a, button, summary")) {
    if (!one.textContent.trim() && !one.getAttribute("aria-label")) complain("has no name", one);
  }
  if (all("h1").length !== 1) complain("has not one heading", root);

  const made = "img[src='x'], script:not([src], [type='importmap']), [onerror]";
  for (const one of all(made)) complain("was taken for markup", one);
  return complaints;
}
