import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { createSchema, createYoga } from "graphql-yoga";

const schema = createSchema({
  typeDefs: /* GraphQL */ `
    scalar File
    type Query {
      page: String!
      echo(text: String!): String!
    }
    type Mutation {
      upload(file: File!): String!
    }
    type Subscription {
      piece: Int!
    }
  `,
  resolvers: {
    Query: {
      page: () => `Yoga page ${process.pid}`,
      echo: (_parent, { text }) => text,
    },
    Mutation: {
      upload: async (_parent, { file }) =>
        createHash("sha256")
          .update(Buffer.from(await file.arrayBuffer()))
          .digest("hex"),
    },
    Subscription: {
      piece: {
        async *subscribe() {
          for (let number = 1; number <= 5; number += 1) {
            yield { piece: number };
            await pause(100);
          }
        },
      },
    },
  },
});

const yoga = createYoga({ schema });
const server = createServer(yoga);

server.listen(4000, () => {
  console.info("Server is running on http://localhost:4000/graphql");
});

process.on("SIGTERM", () => server.close(() => console.log("shutdown hook of the server")));
