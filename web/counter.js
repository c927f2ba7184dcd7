// The counter's camera, where the browser can read codes itself. The page is whole without it: a scanner types, and text is pasted.
(() => {
  const input = document.getElementById("counter-input");
  const box = document.getElementById("counter-camera");
  if (!input || !box) return;
  // A scanner types into whatever has the focus: it comes back when the clerk returns to this window.
  addEventListener("focus", () => { if (document.activeElement === document.body) input.focus(); });
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) return;
  const button = box.querySelector("button");
  const video = box.querySelector("video");
  const said = box.querySelector("p");
  let stream = null;
  const stop = () => {
    if (stream) stream.getTracks().forEach((t) => t.stop());
    stream = null;
    video.hidden = true;
    video.srcObject = null;
  };
  const look = async (detector) => {
    while (stream) {
      const codes = await detector.detect(video).catch(() => []);
      if (codes.length && stream) {
        input.value = codes[0].rawValue;
        stop();
        input.form.requestSubmit(document.getElementById("counter-check"));
        return;
      }
      await new Promise((done) => setTimeout(done, 150));
    }
  };
  button.addEventListener("click", async () => {
    if (stream) return stop();
    said.hidden = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.srcObject = stream;
      video.hidden = false;
      await video.play();
      look(new BarcodeDetector({ formats: ["qr_code"] }));
    } catch {
      stop();
      said.hidden = false;
    }
  });
  addEventListener("pagehide", stop);
  BarcodeDetector.getSupportedFormats().then((formats) => { if (formats.includes("qr_code")) box.hidden = false; }, () => {});
})();
