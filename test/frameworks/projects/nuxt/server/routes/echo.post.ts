export default defineEventHandler(async (event) => {
  const { text } = await readBody<{ text: string }>(event);
  return { text, pid: process.pid };
});
