// One control for the videos of a clip: they show the same frame, playing or not.
"use strict";

for (const player of document.querySelectorAll(".player")) {
  const videos = [...player.querySelectorAll("video")];
  const lead = videos[0];
  const rate = Number(player.dataset.rate);
  const numFrames = Number(player.dataset.frames);
  const button = player.querySelector(".play");
  const slider = player.querySelector("input");
  const counter = player.querySelector("output");
  const speed = player.querySelector("select");
  let playing = false;

  const currentFrame = () => Math.min(numFrames - 1, Math.floor(lead.currentTime * rate + 1e-3));

  function showFrame(frame) {
    slider.value = frame;
    counter.textContent = `frame ${frame + 1} / ${numFrames}`;
  }

  function seek(frame) {
    for (const video of videos) video.currentTime = (frame + 0.5) / rate; // the middle of a frame is safely that frame
    showFrame(frame);
  }

  function pause() {
    playing = false;
    button.textContent = "Play";
    for (const video of videos) video.pause();
  }

  function play() {
    playing = true;
    button.textContent = "Pause";
    if (currentFrame() >= numFrames - 1) seek(0);
    for (const video of videos) {
      video.playbackRate = Number(speed.value);
      video.play().catch(pause); // the browser wants a click first
    }
    requestAnimationFrame(keepInStep);
  }

  function keepInStep() {
    if (!playing) return;
    if (lead.ended) {
      seek(0);
      for (const video of videos) video.play().catch(pause);
    }
    for (const video of videos.slice(1)) {
      const behind = (lead.currentTime - video.currentTime) * rate; // frames
      if (Math.abs(behind) > 2 && !video.seeking) video.currentTime = lead.currentTime;
      const hurry = Math.abs(behind) > 0.1 ? 1 + Math.max(-0.2, Math.min(0.2, behind / 4)) : 1;
      video.playbackRate = Number(speed.value) * hurry;
    }
    showFrame(currentFrame());
    requestAnimationFrame(keepInStep);
  }

  function toggle() {
    if (!playing) return play();
    pause();
    seek(currentFrame());
  }

  for (const video of videos) {
    video.controls = false;
    video.loop = false;
  }
  player.querySelector(".controls").hidden = false;
  button.addEventListener("click", toggle);
  speed.addEventListener("change", () => { for (const video of videos) video.playbackRate = Number(speed.value); });
  slider.addEventListener("input", () => { pause(); seek(Number(slider.value)); });
  player.addEventListener("keydown", (event) => {
    if (event.target.closest("button, select")) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") { event.preventDefault(); toggle(); }
    if (step) { event.preventDefault(); pause(); seek(Math.max(0, Math.min(numFrames - 1, currentFrame() + step))); }
  });
  for (const figure of player.querySelectorAll("figure")) {
    figure.addEventListener("click", () => {
      for (const other of player.querySelectorAll("figure.large")) if (other !== figure) other.classList.remove("large");
      figure.classList.toggle("large");
    });
  }
  showFrame(0);
}

const first = document.querySelector(".player .play");
if (first && !matchMedia("(prefers-reduced-motion: reduce)").matches) first.click();
