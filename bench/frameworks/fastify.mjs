import createFastify from "fastify";

export const app = createFastify();
app.get("/hello", () => "Hello, world\n");
app.post("/hello", (request) => request.body);
