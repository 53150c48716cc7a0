// What the search of the theme lacks: it takes a pasted message, and works in pages that were
// opened from disk. tools/site.py has each page load this.

// Browsers start no Worker for a page from disk: there, its script runs in a hidden frame.
class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    this.early = [];
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    this.frame.addEventListener("load", () => this.start(url), { once: true });
    document.body.append(this.frame);
  }

  start(url) {
    const inner = this.frame.contentWindow;
    inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
    const script = inner.document.createElement("script");
    script.src = url;
    script.addEventListener("load", () => {
      const early = this.early;
      this.early = null;
      early.forEach((data) => this.postMessage(data));
    });
    inner.document.body.append(script);
  }

  postMessage(data) {
    if (this.early !== null) {
      this.early.push(data);
    } else {
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }
  }

  terminate() {
    this.frame.remove();
  }
}

if (location.protocol === "file:") {
  window.IFrameWorker = FrameWorker; // the search looks for this name
  window.Worker = FrameWorker;
}

// The search looks for words that begin like those that were typed. Of a message of several
// words, that finds everything; a weight, even of 1, has it look for the words as they are.
const QUERY = 2; // the type of the theme's messages that ask
const SEVERAL = 4;

function query(text) {
  const words = text.split(/[^\p{L}\p{N}_]+/u).filter(Boolean);
  return words.length < SEVERAL ? text : words.map((word) => `${word}^1`).join(" ");
}

const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
  const asks = message?.type === QUERY && typeof message.data === "string";
  post.call(this, asks ? { ...message, data: query(message.data) } : message, ...rest);
};
