import { createHash } from "node:crypto";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";

const typeDefs = `#graphql
  type Query {
    page: String!
    echo(text: String!): String!
  }
  type Mutation {
    upload(content: String!): String!
  }
`;

const resolvers = {
  Query: {
    page: () => `Apollo page ${process.pid}`,
    echo: (_parent, { text }) => text,
  },
  Mutation: {
    upload: (_parent, { content }) => createHash("sha256").update(content).digest("hex"),
  },
};

const server = new ApolloServer({
  typeDefs,
  resolvers,
  plugins: [
    {
      async serverWillStart() {
        return {
          async serverWillStop() {
            console.log("shutdown hook of Apollo");
          },
        };
      },
    },
  ],
});

const { url } = await startStandaloneServer(server, { listen: { port: 4000 } });

console.log(`Server ready at: ${url}`);
