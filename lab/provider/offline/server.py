"""Terraform's plugin protocol on top of the core: decode, ask the core, encode."""

from __future__ import annotations

import functools
import json
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf import provider as tf_provider, runner
from tf.gen import tfplugin_pb2 as pb, tfplugin_pb2_grpc as rpc

from . import wire
from .core import Provider
from .failure import Failure


def guarded(response: Callable[..., Any]) -> Callable:
    """A failure becomes a diagnostic. So does a bug: gRPC would only say 'Exception calling application'."""

    def decorate(method: Callable) -> Callable:
        @functools.wraps(method)
        def call(self: Servicer, request: Any, context: Any) -> Any:
            try:
                return method(self, request, context)
            except Failure as failure:
                return response(diagnostics=[wire.error(failure.summary, failure.detail)])
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                where = f"{method.__name__} {getattr(request, 'type_name', '')}".strip()
                return response(diagnostics=[wire.error(f"Bug in the offline provider: {where}", f"{error!r}\n{traceback.format_exc(limit=-6)}")])

        return call

    return decorate


class Servicer(rpc.ProviderServicer):
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.capabilities = pb.ServerCapabilities(plan_destroy=False, get_provider_schema_optional=True)

    @guarded(pb.GetMetadata.Response)
    def GetMetadata(self, request: pb.GetMetadata.Request, context: Any) -> pb.GetMetadata.Response:
        return pb.GetMetadata.Response(
            server_capabilities=self.capabilities,
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in self.provider.rows],
            data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self.provider.data],
        )

    @functools.cached_property
    def schema(self) -> Any:
        return pb.GetProviderSchema.Response(
            server_capabilities=self.capabilities,
            provider=wire.schema(self.provider.config_block),
            resource_schemas={name: wire.schema(row.block) for name, row in self.provider.rows.items()},
            data_source_schemas={name: wire.schema(source.block) for name, source in self.provider.data.items()},
        )

    @guarded(pb.GetProviderSchema.Response)
    def GetProviderSchema(self, request: pb.GetProviderSchema.Request, context: Any) -> pb.GetProviderSchema.Response:
        return self.schema

    @guarded(pb.ValidateProviderConfig.Response)
    def ValidateProviderConfig(self, request: pb.ValidateProviderConfig.Request, context: Any) -> pb.ValidateProviderConfig.Response:
        return pb.ValidateProviderConfig.Response(diagnostics=wire.diagnostics(self.provider.validate_config(wire.decode(request.config))))

    @guarded(pb.ValidateResourceConfig.Response)
    def ValidateResourceConfig(self, request: pb.ValidateResourceConfig.Request, context: Any) -> pb.ValidateResourceConfig.Response:
        problems = self.provider.validate_resource(request.type_name, wire.decode(request.config))
        return pb.ValidateResourceConfig.Response(diagnostics=wire.diagnostics(problems))

    @guarded(pb.ValidateDataResourceConfig.Response)
    def ValidateDataResourceConfig(self, request: pb.ValidateDataResourceConfig.Request, context: Any) -> pb.ValidateDataResourceConfig.Response:
        problems = self.provider.validate_data(request.type_name, wire.decode(request.config))
        return pb.ValidateDataResourceConfig.Response(diagnostics=wire.diagnostics(problems))

    @guarded(pb.ConfigureProvider.Response)
    def ConfigureProvider(self, request: pb.ConfigureProvider.Request, context: Any) -> pb.ConfigureProvider.Response:
        self.provider.configure(wire.decode(request.config))
        return pb.ConfigureProvider.Response()

    @guarded(pb.UpgradeResourceState.Response)
    def UpgradeResourceState(self, request: pb.UpgradeResourceState.Request, context: Any) -> pb.UpgradeResourceState.Response:
        # A state written by the real provider may hold attributes of newer or older versions: keep what the schema knows.
        state = json.loads(request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=wire.encode(self.provider.upgrade(request.type_name, state)))

    @guarded(pb.ReadResource.Response)
    def ReadResource(self, request: pb.ReadResource.Request, context: Any) -> pb.ReadResource.Response:
        state = self.provider.read(request.type_name, wire.decode(request.current_state))
        return pb.ReadResource.Response(new_state=wire.encode(state), private=request.private)

    @guarded(pb.PlanResourceChange.Response)
    def PlanResourceChange(self, request: pb.PlanResourceChange.Request, context: Any) -> pb.PlanResourceChange.Response:
        prior, config = wire.decode(request.prior_state), wire.decode(request.config)
        if wire.decode(request.proposed_new_state) is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        planned, replace, problems = self.provider.plan(request.type_name, prior, config)
        return pb.PlanResourceChange.Response(
            planned_state=wire.encode(planned),
            requires_replace=[wire.attribute_path([name]) for name in replace],
            planned_private=request.prior_private,
            diagnostics=wire.diagnostics(problems),
            legacy_type_system=self.provider.rows[request.type_name].legacy,
        )

    @guarded(pb.ApplyResourceChange.Response)
    def ApplyResourceChange(self, request: pb.ApplyResourceChange.Request, context: Any) -> pb.ApplyResourceChange.Response:
        prior, planned = wire.decode(request.prior_state), wire.decode(request.planned_state)
        state, failure = self.provider.apply(request.type_name, prior, planned)
        return pb.ApplyResourceChange.Response(
            new_state=wire.encode(state),
            private=request.planned_private,
            diagnostics=[wire.error(failure.summary, failure.detail)] if failure else [],
            legacy_type_system=self.provider.rows[request.type_name].legacy,
        )

    @guarded(pb.ImportResourceState.Response)
    def ImportResourceState(self, request: pb.ImportResourceState.Request, context: Any) -> pb.ImportResourceState.Response:
        state = self.provider.import_state(request.type_name, request.id)
        imported = pb.ImportResourceState.ImportedResource(type_name=request.type_name, state=wire.encode(state))
        return pb.ImportResourceState.Response(imported_resources=[imported])

    @guarded(pb.MoveResourceState.Response)
    def MoveResourceState(self, request: pb.MoveResourceState.Request, context: Any) -> pb.MoveResourceState.Response:
        raise Failure("Not supported", "The offline provider does not move state between resource types.")

    @guarded(pb.ReadDataSource.Response)
    def ReadDataSource(self, request: pb.ReadDataSource.Request, context: Any) -> pb.ReadDataSource.Response:
        return pb.ReadDataSource.Response(state=wire.encode(self.provider.read_data(request.type_name, wire.decode(request.config))))

    @guarded(pb.GetFunctions.Response)
    def GetFunctions(self, request: pb.GetFunctions.Request, context: Any) -> pb.GetFunctions.Response:
        return pb.GetFunctions.Response()

    @guarded(pb.CallFunction.Response)
    def CallFunction(self, request: pb.CallFunction.Request, context: Any) -> pb.CallFunction.Response:
        raise Failure("No such function", "The offline provider has no functions.")

    def StopProvider(self, request: pb.StopProvider.Request, context: Any) -> pb.StopProvider.Response:
        """Terraform was interrupted: what has begun is finished, so that its result reaches the state."""
        return pb.StopProvider.Response()


class EndsWhenTold(runner._ShutdownInterceptor):
    """`tf` ends the process at StopProvider too, and what was being created then is in AWS but not in Terraform's state."""

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        if handler_call_details.method == "/tfplugin6.Provider/StopProvider":
            return continuation(handler_call_details)
        return super().intercept_service(continuation, handler_call_details)


def serve(servicer: Servicer) -> None:
    # Ctrl-C reaches the whole process group; only Terraform may answer it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner._ShutdownInterceptor = EndsWhenTold
    # `tf` brings transport and handshake; its own servicer knows neither list blocks nor object types nor planning from configuration.
    tf_provider.ProviderServicer = lambda unused: servicer
    with tempfile.TemporaryDirectory() as private:
        # It would keep its certificate in the user's home directory, and crash where that cannot be written.
        runner._get_cert_cache_path = lambda: Path(private) / "certificate.json"
        runner.run_provider(servicer.provider, [sys.argv[0]])
