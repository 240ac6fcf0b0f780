import { index, type RouteConfig, route } from "@react-router/dev/routes";

export default [
  index("routes/home.tsx"),
  route("echo", "routes/echo.ts"),
  route("upload", "routes/upload.ts"),
  route("stream", "routes/stream.ts"),
] satisfies RouteConfig;
