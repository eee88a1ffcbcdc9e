/** Keeps the bottom in sight while the reader is there, and leaves a reader who has scrolled up alone. */
export function follow(scroller, content, button) {
  let pinned = true;
  const bottom = () => scroller.scrollTo({ top: scroller.scrollHeight });
  const distance = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

  scroller.addEventListener('scroll', () => {
    pinned = distance() < 48;
    button.hidden = pinned;
  }, { passive: true });
  button.addEventListener('click', bottom);

  const observer = new ResizeObserver(() => {
    if (pinned) bottom();
  });
  observer.observe(content);
  observer.observe(scroller);

  return () => {
    pinned = true;
    bottom();
  };
}
