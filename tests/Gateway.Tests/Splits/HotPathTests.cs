using System.Buffers;
using Google.Protobuf;
using MlOps.Contracts.OpenInference;
using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Tests.Splits;

public sealed class HotPathTests
{
    [Fact]
    public void Reading_the_model_and_choosing_the_arm_allocate_nothing()
    {
        var policy = new TrafficPolicy(
            "flight-delay", [new PolicyArm("a", "1", 0.5), new PolicyArm("b", "2", 0.5)], "salt", 1,
            TrafficPolicy.DefaultSubjectHeader, 1, default);
        var policies = new PolicySnapshot(1, [new Split(policy, new AssignmentCounts())]);
        var message = new ModelInferRequest { ModelName = "flight-delay", Id = "1" }.ToByteArray();
        var received = new ReadOnlySequence<byte>([0, 0, 0, 0, (byte)message.Length, .. message]);

        Assert.Equal(1000, AssignmentsOf(1000));
        var before = GC.GetAllocatedBytesForCurrentThread();
        AssignmentsOf(1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        int AssignmentsOf(int requests)
        {
            Span<char> name = stackalloc char[FirstMessage.MaxName];
            var assigned = 0;
            for (var i = 0; i < requests; i++)
            {
                FirstMessage.Look(received, isAll: false, encoding: null, name, out var length);
                if (policies.Find(name[..length])?.Choose("a subject") is not null) assigned++;
                ModelPath.TryRead("/v2/models/flight-delay/infer", out var model, out _);
                if (policies.Find(model) is null) assigned--;
            }

            return assigned;
        }
    }
}
