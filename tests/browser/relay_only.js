// Lets calls use relays alone, and keeps their connections for tests.
{
  const Real = RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Real {
    constructor(config) {
      super({ ...config, iceTransportPolicy: "relay" });
      window.connections.push(this);
    }
  };
}
