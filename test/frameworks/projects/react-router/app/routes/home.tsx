import { useLoaderData } from "react-router";

export function loader() {
  return { pid: process.pid };
}

export default function Home() {
  const { pid } = useLoaderData<typeof loader>();
  return <h1>{`React Router page ${pid}`}</h1>;
}
