/* Browsers start no workers of pages that are opened as files, and the search runs in one: there it runs in a hidden frame. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.inside.postMessage = (data) => {
        const message = new MessageEvent("message", { data })
        this.dispatchEvent(message)
        this.onmessage?.(message)
      }
      const load = (source) =>
        new Promise((done, failed) => {
          const script = frame.contentDocument.createElement("script")
          script.src = source
          script.onload = done
          script.onerror = failed
          frame.contentDocument.body.append(script)
        })
      this.inside.importScripts = (...sources) => sources.reduce((last, source) => last.then(() => load(source)), Promise.resolve())
      this.ready = load(new URL(address, location.href).href)
    }

    postMessage(data) {
      this.ready.then(() => {
        const message = new this.inside.MessageEvent("message", { data })
        this.inside.dispatchEvent(message)
      })
    }

    terminate() {
      this.inside.frameElement.remove()
    }
  }
}
