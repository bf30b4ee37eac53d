// One control for the videos of a clip: they show the same frame, playing or not.
"use strict";

const PATIENCE_MS = 1000; // some browsers load nothing before play()
const nextPaint = () => new Promise(requestAnimationFrame);

function controlled(player) {
  const videos = [...player.querySelectorAll("video")];
  const lead = videos[0];
  const rate = Number(player.dataset.rate);
  const numFrames = Number(player.dataset.frames);
  const button = player.querySelector(".play");
  const slider = player.querySelector("input");
  const counter = player.querySelector("output");
  const speed = player.querySelector("select");
  const onScreen = new Map(); // video -> seconds of the frame that is really on the screen; currentTime runs ahead of it
  const behind = new Map(); // video -> how many frames it is behind the lead, averaged over some paints
  let playing = false;
  let starts = 0;

  const currentFrame = () => Math.min(numFrames - 1, Math.floor(lead.currentTime * rate + 1e-3));
  const shownSeconds = (video) => onScreen.get(video) ?? video.currentTime;

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

  // All start at the same moment, once all have the frame: videos that start one by one stay apart.
  async function playFrom(frame) {
    const start = ++starts;
    const isCurrent = () => playing && start === starts;
    playing = true;
    button.textContent = "Pause";
    for (const video of videos) video.pause();
    seek(frame);
    const until = performance.now() + PATIENCE_MS;
    while (videos.some((video) => video.seeking || video.readyState < 3) && performance.now() < until) await nextPaint();
    if (!isCurrent()) return;
    behind.clear();
    for (const video of videos) {
      video.playbackRate = Number(speed.value);
      video.play().catch(() => { if (isCurrent()) pause(); }); // the browser wants a click first
    }
    while (isCurrent() && !lead.ended) {
      videos.slice(1).forEach(keepUp);
      showFrame(currentFrame());
      await nextPaint();
    }
    if (isCurrent()) playFrom(0);
  }

  function keepUp(video) {
    const now = (shownSeconds(lead) - shownSeconds(video)) * rate;
    const mean = 0.85 * (behind.get(video) ?? 0) + 0.15 * now;
    behind.set(video, mean);
    if (Math.abs(mean) > 2 && !video.seeking) {
      video.currentTime = lead.currentTime;
      behind.delete(video);
    }
    const hurry = Math.abs(mean) > 0.15 ? Math.max(-0.3, Math.min(0.3, mean / 3)) : 0;
    video.playbackRate = Number(speed.value) * (1 + hurry);
  }

  function toggle() {
    if (!playing) return playFrom(currentFrame() < numFrames - 1 ? currentFrame() : 0);
    pause();
    seek(currentFrame());
  }

  function step(frames) {
    pause();
    seek(Math.max(0, Math.min(numFrames - 1, currentFrame() + frames)));
  }

  function enlarge(figure) {
    for (const other of player.querySelectorAll("figure")) {
      const large = other === figure && !other.classList.contains("large");
      other.classList.toggle("large", large);
      other.querySelector(".enlarge").setAttribute("aria-pressed", large);
    }
  }

  for (const video of videos) {
    video.controls = false;
    video.loop = false;
    if (!video.requestVideoFrameCallback) continue;
    const note = (_, { mediaTime }) => {
      onScreen.set(video, mediaTime);
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  }
  for (const figure of player.querySelectorAll("figure")) {
    figure.querySelector(".enlarge").hidden = false;
    figure.addEventListener("click", () => enlarge(figure));
  }
  player.querySelector(".controls").hidden = false;
  button.addEventListener("click", toggle);
  speed.addEventListener("change", () => { for (const video of videos) video.playbackRate = Number(speed.value); });
  slider.addEventListener("input", () => { pause(); seek(Number(slider.value)); });
  showFrame(0);
  return { player, toggle, step };
}

const players = [...document.querySelectorAll(".player")].map(controlled);

// The player that has the focus; where nothing has it, the first one in view.
function addressed(target) {
  const inView = ({ player }) => player.getBoundingClientRect().bottom > 0 && player.getBoundingClientRect().top < innerHeight;
  return players.find((one) => (target === document.body ? inView(one) : one.player.contains(target)));
}

document.addEventListener("keydown", (event) => {
  const one = addressed(event.target);
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const presses = event.key === " " && !event.target.matches("button"); // a button does it by itself
  if (!one || !(step || presses) || event.target.matches("select") || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  if (step) one.step(step);
  else one.toggle();
});

if (players.length && !matchMedia("(prefers-reduced-motion: reduce)").matches) players[0].toggle();
