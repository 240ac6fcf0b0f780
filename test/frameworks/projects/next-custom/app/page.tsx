export const dynamic = "force-dynamic";

export default function Page() {
  return <h1>{`Next page ${process.pid}`}</h1>;
}
