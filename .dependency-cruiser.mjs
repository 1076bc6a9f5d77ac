// The layer rule of CONTRIBUTING.md, generated from the list of rooms. Type imports count.

import { ROOMS } from './scripts/rooms.mjs';

// A room may stand inside another (engines/tensorflow): what is in the inner one is not in the outer one.
const inRoom = ({ room }) => {
  const inner = ROOMS.filter((other) => other.room.startsWith(`${room}/`));
  const not = inner.map((other) => `(?!${other.room.slice(room.length + 1)}/)`).join('');
  return `^src/${room}/${not}`;
};
const inRooms = (rooms) => rooms.map(inRoom);
const INDEX = '^src/index\\.ts$';
const core = ROOMS.filter(({ runs }) => runs === 'anywhere');
const nodeRooms = ROOMS.filter(({ runs }) => runs === 'node');
const NODE_FOLDER = '/node/';

const lastOfCore = ROOMS.indexOf(core.at(-1));

const upwards = ROOMS.map((room, i) => ({
  name: `${room.room} imports from the rooms before it alone`,
  severity: 'error',
  from: { path: inRoom(room) },
  to: { path: [...inRooms(ROOMS.slice(i + 1)), ...(i <= lastOfCore ? [INDEX] : [])] },
})).filter(({ to }) => to.path.length > 0);

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'every file of src is in a room of scripts/rooms.mjs',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: [...inRooms(ROOMS), INDEX] },
    },
    {
      name: 'workers import nothing of src, and nothing of Node',
      severity: 'error',
      from: { path: '^workers/' },
      to: { path: '^src/' },
    },
    ...upwards,
    {
      name: 'index.ts names what the core offers',
      severity: 'error',
      from: { path: INDEX },
      to: { path: inRooms(ROOMS.slice(lastOfCore + 1)) },
    },
    {
      name: 'the core runs in a browser: it imports nothing of Node',
      severity: 'error',
      from: { path: ['^workers/', INDEX, ...inRooms(core)], pathNot: NODE_FOLDER },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'the core imports no room that needs Node',
      severity: 'error',
      from: { path: [INDEX, ...inRooms(core)], pathNot: NODE_FOLDER },
      to: { path: inRooms(nodeRooms) },
    },
    {
      name: 'the core reaches a folder node/ by a subpath import alone',
      severity: 'error',
      from: { path: inRooms(core), pathNot: NODE_FOLDER },
      to: {
        path: NODE_FOLDER,
        dependencyTypesNot: ['aliased-subpath-import', 'aliased-tsconfig-paths'],
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { conditionNames: ['import', 'node', 'types'] },
  },
};
