// A page that was opened from a disk may start no worker. There, one runs in a frame of its own.
// What is posted is copied, as it is for a worker: both sides change what they are given.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = "<!doctype html><title>worker</title><body>";
      this.started = new Promise((started, failed) => {
        this.frame.onload = () => {
          const inside = this.frame.contentWindow;
          // In a window this would post to itself; in a worker it answers whoever started it.
          inside.postMessage = (answer) => {
            const data = structuredClone(answer);
            setTimeout(() => this.onmessage?.({ data }));
          };
          const script = inside.document.createElement("script");
          script.src = new URL(url, location.href);
          script.onload = () => started(inside);
          script.onerror = failed;
          inside.document.body.append(script);
        };
      });
      this.started.catch((event) => this.onerror?.(event));
      document.body.append(this.frame);
    }

    postMessage(message) {
      const data = structuredClone(message);
      this.started.then((inside) => inside.onmessage({ data }), () => {});
    }

    terminate() {
      this.frame.remove();
    }
  };
}
